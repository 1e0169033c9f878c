package control

import (
	"fmt"
	"math"
	"os"

	"cognito-reset/cmd/cognito-reset/internal/term"
)

// KeysLine says which keys there are.
const KeysLine = "Keys: p pause · + − rate · q stop · ? help"

// keysHelp says what they do.
const keysHelp = "p pauses, and again goes on. + and - change the rate by one call a second. q stops: calls under way finish, and resume goes on; Ctrl-C does the same. From another terminal: cognito-reset ctl DIR, cognito-reset status DIR --watch."

// ByKeys lets the terminal's keys steer until [term.Restore]. What they did is
// told.
func (c *Control) ByKeys(terminal *os.File, told func(string)) {
	c.keys = term.Keys(terminal, func(key byte) {
		if done, err := c.key(key); err != nil {
			told(err.Error())
		} else if done != "" {
			told(done)
		}
	}) == nil
}

// Keys reports whether the terminal's keys are read.
func (c *Control) Keys() bool { return c.keys }

// key carries out a key.
func (c *Control) key(key byte) (done string, err error) {
	by := Whoami() + " at the terminal"
	c.mu.Lock()
	if c.asking != nil && (key == 'y' || key == 'n') {
		c.asking <- key == 'y'
		c.asking = nil
	}
	c.mu.Unlock()
	s := c.First.State()
	switch {
	case key == 'p' && s.Paused:
		return c.do(by, "resume", "")
	case key == 'p':
		return c.do(by, "pause", "")
	case key == '?' || key == 'h':
		return keysHelp, nil
	case key == 'q':
		return c.do(by, "stop", "")
	case (key == '+' || key == '-') && s.Ceiling == 0:
		return "There is no limit to change; cognito-reset ctl DIR rate N sets one.", nil
	case key == '+':
		return c.do(by, "rate", fmt.Sprint(math.Floor(s.Ceiling)+1))
	case key == '-':
		return c.do(by, "rate", fmt.Sprint(max(1, math.Ceil(s.Ceiling)-1)))
	}
	return "", nil
}
