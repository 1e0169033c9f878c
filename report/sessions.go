package report

import "time"

// Sessions tell how a run stands after the last process that worked on it, for whoever
// asks without reading its journal.
type Sessions struct {
	Left               int64      `json:"left"`                  // users whom a resume would work on
	LastUsersPerSecond float64    `json:"last_users_per_second"` // in the last of them; 0 if it took no time
	Steered            []Steering `json:"steered,omitempty"`     // in all of them, oldest first
}

// A Steering is a command by which somebody changed how a run goes on.
type Steering struct {
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Command string    `json:"command"`
}
