package control

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/disk"
)

// A session is reached by one of two files in its run directory, which is private to
// its owner: a Unix socket, or the address of a port of this machine with a token
// that no other user can read. The port is for where there can be no socket: systems
// take about 100 bytes of path, and some file systems have none.
const (
	SocketFile  = journal.SocketFile
	AddressFile = journal.AddressFile
)

// hasSockets is false on Windows: its older versions have no Unix sockets, and nothing
// there restricts who may connect to one.
const hasSockets = runtime.GOOS != "windows"

// An address is what AddressFile holds.
type address struct {
	Address string `json:"address"` // host and port
	Token   string `json:"token"`   // of this session alone
}

// A door is where a session is reached.
type door struct {
	listener net.Listener
	token    string // that who comes in must have; "" if only the owner reaches the listener
	file     string // AddressFile; "" if there is none
}

// open makes a door, in place of that of a session that was killed: whoever opens it
// has the lock of the run.
func open(folder string) (*door, error) {
	socket, file := filepath.Join(folder, SocketFile), filepath.Join(folder, AddressFile)
	for _, old := range []string{socket, file} {
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	noSocket := errors.ErrUnsupported
	if hasSockets {
		var listener net.Listener
		if listener, noSocket = listenUnix(socket); noSocket == nil {
			return &door{listener: listener}, nil
		}
	}
	d, err := openPort(file)
	if err != nil {
		return nil, errors.Join(noSocket, err)
	}
	return d, nil
}

// listenUnix takes the absolute path, so that whoever asks from another folder finds
// the same one short enough.
func listenUnix(path string) (net.Listener, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

func openPort(file string) (*door, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := address{listener.Addr().String(), rand.Text()}
	// Not by the run directory, which may have a copy elsewhere.
	err = disk.Swap(disk.OS, file, func(f disk.File) error { return json.NewEncoder(f).Encode(a) })
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return &door{listener, a.Token, file}, nil
}

// guard lets in only who has the token.
func (d *door) guard(h http.Handler) http.Handler {
	if d.token == "" {
		return h
	}
	want := []byte(bearer(d.token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			http.Error(w, "the token is not that of this session", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func bearer(token string) string { return "Bearer " + token }

// shut lets nobody in any more, and takes away what says where the door is: the file,
// or the socket, which goes with its listener.
func (d *door) shut() {
	d.listener.Close()
	if d.file != "" {
		os.Remove(d.file)
	}
}

// A way is how to reach a session.
type way struct {
	network, address string
	token            string // "" on a way that only the owner has
}

// find looks for the way to the session that works in a folder.
func find(folder string) (way, error) {
	text, err := os.ReadFile(filepath.Join(folder, AddressFile))
	if errors.Is(err, fs.ErrNotExist) {
		socket, err := filepath.Abs(filepath.Join(folder, SocketFile))
		return way{network: "unix", address: socket}, err
	} else if err != nil {
		return way{}, err
	}
	var a address
	if err := json.Unmarshal(text, &a); err != nil || a.Address == "" || a.Token == "" {
		return way{}, fmt.Errorf("%s does not say where the session is reached", AddressFile)
	}
	return way{"tcp", a.Address, a.Token}, nil
}

func (w way) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, w.network, w.address)
}

// sign shows the token.
func (w way) sign(r *http.Request) {
	if w.token != "" {
		r.Header.Set("Authorization", bearer(w.token))
	}
}
