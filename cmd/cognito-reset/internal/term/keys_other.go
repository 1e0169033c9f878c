//go:build !linux && !darwin

package term

import "errors"

// cbreak is not known here; cognito-reset ctl steers as well.
func cbreak(int) (restore func(), err error) { return nil, errors.ErrUnsupported }
