#!/bin/sh
# Posts an event of a run to a webhook, in the format of Slack. It names nobody.
#
#   cognito-reset run … --notify-every 15m --notify-exec 'sh slack.sh https://hooks.slack.com/services/…'
#
# Needs curl and jq. The summary comes on standard input, the event in the environment.
set -eu
hook=${1:?usage: slack.sh URL}
text=$(jq -r --arg event "$COGNITO_RESET_EVENT" --arg ahead "${COGNITO_RESET_AHEAD:-}" '
  "cognito-reset \($event): \(.outcomes.reset) of \(.rows) reset, \(.outcomes.failed) failed"
  + (if .keep_password > 0 then ", \(.keep_password) still have their old password" else "" end)
  + (if $ahead != "" then "; \($ahead)" else "" end)
  + (if .stopped_because != "" then "; \(.stopped_because)" else "" end)')
jq -n --arg text "$text" '{text: $text}' | curl --fail --silent --show-error --max-time 10 \
  --header 'Content-Type: application/json' --data @- "$hook" > /dev/null
