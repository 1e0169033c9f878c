package evidence

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// A Key makes pseudonyms: who has it can match them with usernames, and nobody
// else can, not even by trying names.
type Key [sha256.Size]byte

// ReadKey reads a key from its file: so many bytes in hexadecimal, and a line feed.
func ReadKey(path string) (key Key, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return key, err
	}
	bytes, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(bytes) != len(key) {
		return key, fmt.Errorf("%s is not a key: that is %d hexadecimal digits", path, 2*len(key))
	}
	return Key(bytes), nil
}

// MakeKey makes a key and its file, which only its owner may read. There must be
// no such file yet.
func MakeKey(path string) (key Key, err error) {
	rand.Read(key[:])
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return key, err
	}
	_, err = fmt.Fprintf(f, "%x\n", key)
	return key, errors.Join(err, f.Sync(), f.Close())
}

// OpenKey reads a key, or makes one if there is no such file.
func OpenKey(path string) (Key, error) {
	key, err := MakeKey(path)
	if errors.Is(err, fs.ErrExist) {
		return ReadKey(path)
	}
	return key, err
}

// User is what stands for a username: HMAC-SHA-256 in hexadecimal, as openssl dgst
// -mac HMAC makes it too.
func (k Key) User(name string) string { return k.sum(name) }

// Other is what stands for a text of another kind. It is not the pseudonym of a
// user with such a name.
func (k Key) Other(kind, text string) string { return k.sum(kind + "\x00" + text) }

// ID tells keys apart, and tells nothing of them.
func (k Key) ID() string { return k.Other("id", "")[:16] }

func (k Key) sum(text string) string {
	mac := hmac.New(sha256.New, k[:])
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}
