package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// A build is what the binary knows of how it was made. What it does not know is
// empty.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // of the source
	Time     string `json:"time"`     // of the revision, RFC 3339
	Modified bool   `json:"modified"` // the source was not all of the revision
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func builtAs() build {
	b := build{Version: "(devel)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = cmp.Or(info.Main.Version, b.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func version() string { return builtAs().Version }

func (c *command) versionCommand() *cli.Command {
	return &cli.Command{
		Name:      "version",
		Usage:     "tell how this binary was built",
		UsageText: "cognito-reset version --json",
		Flags:     []cli.Flag{boolFlag(groupOutput, "json", "print JSON")},
		Action: func(ctx *cli.Context) error {
			b := builtAs()
			if ctx.Bool("json") {
				enc := json.NewEncoder(c.stdout)
				enc.SetIndent("", "  ")
				return enc.Encode(b)
			}
			source := cmp.Or(b.Revision, "not known")
			if b.Modified {
				source += ", modified"
			}
			_, err := fmt.Fprintf(c.stdout, "cognito-reset %s\nsource  %s %s\nbuilt   %s %s/%s\n", b.Version, source, b.Time, b.Go, b.OS, b.Arch)
			return err
		},
	}
}
