#!/usr/bin/env bash
# Judges an image by the rules that the environment gives, and leaves reports behind. The GitHub action and the GitLab
# template run it; any other CI system can. Ends with nixdive's exit code: 0 pass, 1 a rule failed, 2 could not judge.
#
#   NIXDIVE_IMAGE       the image (required)
#   NIXDIVE_BASELINE    what growth is measured against
#   NIXDIVE_MAX_SIZE, NIXDIVE_MAX_GROWTH, NIXDIVE_ARGUMENTS    one a line
#   NIXDIVE_RULES, NIXDIVE_CI_CONFIG    files of rules
#   NIXDIVE_REPORTS     a directory for the reports; nixdive-reports
set -uo pipefail

if [ -z "${NIXDIVE_IMAGE:-}" ]; then
  echo "judge.sh: NIXDIVE_IMAGE names no image" >&2
  exit 2
fi
reports=${NIXDIVE_REPORTS:-nixdive-reports}
mkdir -p -- "$reports" || exit 2

arguments=()
# Adds FLAG VALUE for each line of a variable that has something on it.
add_lines() {
  local line
  while IFS= read -r line; do
    [ -z "$line" ] || arguments+=("$1=$line")
  done <<<"$2"
}
add_lines --baseline "${NIXDIVE_BASELINE:-}"
add_lines --max-size "${NIXDIVE_MAX_SIZE:-}"
add_lines --max-growth "${NIXDIVE_MAX_GROWTH:-}"
add_lines --rules "${NIXDIVE_RULES:-}"
add_lines --ci-config "${NIXDIVE_CI_CONFIG:-}"
while IFS= read -r line; do
  [ -z "$line" ] || arguments+=("$line")
done <<<"${NIXDIVE_ARGUMENTS:-}"

nixdive ci ${arguments[@]+"${arguments[@]}"} \
  --output "json=$reports/nixdive.json" \
  --output "sarif=$reports/nixdive.sarif" \
  --output "junit=$reports/nixdive.xml" \
  --output "markdown=$reports/nixdive.md" \
  --output "gitlab=$reports/nixdive-code-quality.json" \
  -- "$NIXDIVE_IMAGE"
code=$?

if [ -n "${GITHUB_OUTPUT:-}" ]; then
  case $code in
    0) verdict=pass ;;
    1) verdict=fail ;;
    *) verdict=error ;;
  esac
  printf 'verdict=%s\nreports=%s\n' "$verdict" "$reports" >>"$GITHUB_OUTPUT"
fi
exit "$code"
