package main

import (
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// completing is the last argument of a command line that a shell wants completed.
const completing = "--generate-bash-completion"

// Completions are the scripts that have a shell ask the tool how a command line may
// go on. That of fish has all answers in it, and the library writes it.
var completions = map[string]string{
	"bash": `_cognito_reset() {
  local word=${COMP_WORDS[COMP_CWORD]} line=("${COMP_WORDS[@]:0:COMP_CWORD}")
  [[ $word != -* ]] || line+=("$word")
  mapfile -t COMPREPLY < <(compgen -W "$("${line[@]}" ` + completing + ` 2>/dev/null)" -- "$word")
}
complete -o bashdefault -o default -F _cognito_reset cognito-reset
`,
	"zsh": `#compdef cognito-reset
_cognito_reset() {
  local -a line answers
  line=("${(@)words[1,CURRENT-1]}")
  [[ $words[CURRENT] != -* ]] || line+=("$words[CURRENT]")
  answers=("${(@f)$(_CLI_ZSH_AUTOCOMPLETE_HACK=1 "${(@)line}" ` + completing + ` 2>/dev/null)}")
  [[ -n $answers[1] ]] && _describe 'cognito-reset' answers || _files
}
compdef _cognito_reset cognito-reset
`,
	"powershell": `Register-ArgumentCompleter -Native -CommandName cognito-reset -ScriptBlock {
  param($word, $line, $at)
  $before = @($line.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
  if ($word -and $word -notlike '-*') { $before = @($before | Select-Object -SkipLast 1) }
  & cognito-reset @before ` + completing + ` 2>$null | Where-Object { $_ -like "$word*" } |
    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
}
`,
}

func (c *command) completionCommand() *cli.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cli.Command{
		Name:        "completion",
		Usage:       "print what has a shell complete the tool's command lines",
		ArgsUsage:   strings.Join(shells, "|"),
		UsageText:   "source <(cognito-reset completion bash)",
		Description: "The line above goes into ~/.bashrc. For zsh it is the same, for fish a file\n~/.config/fish/completions/cognito-reset.fish, for PowerShell a line of $PROFILE:\ncognito-reset completion powershell | Out-String | Invoke-Expression",
		Action: func(ctx *cli.Context) (err error) {
			shell := ctx.Args().First()
			if ctx.NArg() != 1 || !slices.Contains(shells, shell) {
				return usagef("completion takes the name of a shell: %s", strings.Join(shells, ", "))
			}
			script := completions[shell]
			if shell == "fish" {
				if script, err = ctx.App.ToFishCompletion(); err != nil {
					return err
				}
			}
			_, err = io.WriteString(c.stdout, script)
			return err
		},
	}
}

func (c *command) manCommand() *cli.Command {
	return &cli.Command{
		Name:      "man",
		Usage:     "print the manual page",
		UsageText: "cognito-reset man | man -l -",
		Action: func(ctx *cli.Context) error {
			if err := noArguments(ctx); err != nil {
				return err
			}
			page, err := ctx.App.ToManWithSection(1)
			if err != nil {
				return err
			}
			_, err = io.WriteString(c.stdout, page)
			return err
		},
	}
}
