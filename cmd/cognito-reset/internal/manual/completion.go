package manual

// Completing is the last argument of a command line that a shell wants completed.
const Completing = "--generate-bash-completion"

// scripts have a shell ask the tool how a command line may go on.
var scripts = map[string]string{
	"bash": `_cognito_reset() {
  local word=${COMP_WORDS[COMP_CWORD]} answer
  [[ $word != "=" ]] || word=
  COMPREPLY=()
  while IFS=$'\t' read -r answer _; do
    [[ $answer != *[[:space:]]* ]] || printf -v answer %q "$answer"
    COMPREPLY+=("$answer")
  done < <("${COMP_WORDS[@]:0:COMP_CWORD}" "$word" ` + Completing + ` 2>/dev/null)
}
complete -o bashdefault -o default -F _cognito_reset cognito-reset
`,
	"zsh": `#compdef cognito-reset
_cognito-reset() {
  local answer
  local -a answers
  for answer in "${(@f)$("${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" ` + Completing + ` 2>/dev/null)}"; do
    [[ -z $answer ]] || answers+=("${${answer//:/\\:}/$'\t'/:}")
  done
  (( $#answers )) && _describe 'cognito-reset' answers || _files
}
if [[ $funcstack[1] == _cognito-reset ]]; then
  _cognito-reset
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
  compdef _cognito-reset cognito-reset
fi
`,
	"fish": `function __cognito_reset
  set -l line (commandline -opc)
  set -l answers ($line (commandline -ct) ` + Completing + ` 2>/dev/null)
  if set -q answers[1]
    printf '%s\n' $answers
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c cognito-reset -f -a '(__cognito_reset)'
`,
	"powershell": `Register-ArgumentCompleter -Native -CommandName cognito-reset -ScriptBlock {
  param($word, $line, $at)
  $before = @($line.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
  if ($word) { $before = @($before | Select-Object -SkipLast 1) }
  & cognito-reset @before "$word" ` + Completing + ` 2>$null | ForEach-Object {
    $answer = ($_ -split "` + "`t" + `")[0]
    [System.Management.Automation.CompletionResult]::new($answer, $answer, 'ParameterValue', $answer)
  }
}
`,
}

// Shells are those whose completion is known.
var Shells = []string{"bash", "zsh", "fish", "powershell"}

// Completion is the script that has a shell complete the tool's command lines.
func Completion(shell string) string { return scripts[shell] }
