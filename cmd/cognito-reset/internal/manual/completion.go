package manual

import "github.com/urfave/cli/v2"

// Completing is the last argument of a command line that a shell wants completed.
const Completing = "--generate-bash-completion"

// scripts are the scripts that have a shell ask the tool how a command line may
// go on. That of fish has all answers in it, and the library writes it.
var scripts = map[string]string{
	"bash": `_cognito_reset() {
  local word=${COMP_WORDS[COMP_CWORD]} line=("${COMP_WORDS[@]:0:COMP_CWORD}")
  [[ $word != -* ]] || line+=("$word")
  mapfile -t COMPREPLY < <(compgen -W "$("${line[@]}" ` + Completing + ` 2>/dev/null)" -- "$word")
}
complete -o bashdefault -o default -F _cognito_reset cognito-reset
`,
	"zsh": `#compdef cognito-reset
_cognito_reset() {
  local -a line answers
  line=("${(@)words[1,CURRENT-1]}")
  [[ $words[CURRENT] != -* ]] || line+=("$words[CURRENT]")
  answers=("${(@f)$(_CLI_ZSH_AUTOCOMPLETE_HACK=1 "${(@)line}" ` + Completing + ` 2>/dev/null)}")
  [[ -n $answers[1] ]] && _describe 'cognito-reset' answers || _files
}
compdef _cognito_reset cognito-reset
`,
	"powershell": `Register-ArgumentCompleter -Native -CommandName cognito-reset -ScriptBlock {
  param($word, $line, $at)
  $before = @($line.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
  if ($word -and $word -notlike '-*') { $before = @($before | Select-Object -SkipLast 1) }
  & cognito-reset @before ` + Completing + ` 2>$null | Where-Object { $_ -like "$word*" } |
    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
}
`,
}

// Shells are those whose completion is known.
var Shells = []string{"bash", "zsh", "fish", "powershell"}

// Completion is the script that has a shell complete the tool's command lines.
func Completion(app *cli.App, shell string) (string, error) {
	if shell == "fish" {
		return app.ToFishCompletion()
	}
	return scripts[shell], nil
}

// Page is the manual page.
func Page(app *cli.App) (string, error) { return app.ToManWithSection(1) }
