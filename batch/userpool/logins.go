package userpool

import (
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Logins let pools share what reaches AWS: those of one profile and Region have the same
// connections and credentials, and those of one role its session. Otherwise each pool
// reads the shared AWS configuration, and perhaps a file of trusted certificates, makes
// connections and fetches credentials for itself. The zero value has none yet. Pools may
// be opened with it from many goroutines, with the same HTTPClient, Version and MFACode.
type Logins struct {
	mu     sync.Mutex
	shared map[loginKey]func() (aws.Config, error)
}

// loginKey is all that a configuration depends on.
type loginKey struct {
	profile, region string
	endpoint        string // where the role is assumed; "" without one
	role            Role
}

// load is the configuration of a key, which is made once. Without logins it is not shared.
func (l *Logins) load(key loginKey, load func() (aws.Config, error)) (aws.Config, error) {
	if l == nil {
		return load()
	}
	l.mu.Lock()
	shared := l.shared[key]
	if shared == nil {
		if shared = sync.OnceValues(load); l.shared == nil {
			l.shared = make(map[loginKey]func() (aws.Config, error))
		}
		l.shared[key] = shared
	}
	l.mu.Unlock()
	return shared()
}
