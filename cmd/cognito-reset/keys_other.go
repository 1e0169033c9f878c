//go:build !linux && !darwin

package main

import "errors"

// cbreak is not known here; cognito-reset ctl steers as well.
func cbreak(int) (restore func(), err error) { return nil, errors.ErrUnsupported }
