#!/bin/sh
# Takes a screenshot with {{program}}, uploads it to {{base}} and puts its link on the clipboard.
# Needs curl, and wl-copy (Wayland) or xclip or xsel (X11); notify-send tells how it went. Bind it to a key.
set -eu

base='{{base}}'
key='{{key}}'
program='{{program}}'

say() {
  if command -v notify-send >/dev/null; then
    notify-send --app-name=Kadr -- "$1" "$2" || true
  fi
  printf '%s: %s\n' "$1" "$2" >&2
}

fail() {
  say 'The screenshot was not uploaded' "$1"
  exit 1
}

copy() {
  if [ -n "${WAYLAND_DISPLAY:-}" ] && command -v wl-copy >/dev/null; then
    wl-copy
  elif command -v xclip >/dev/null; then
    xclip -selection clipboard
  elif command -v xsel >/dev/null; then
    xsel --clipboard --input
  else
    return 1
  fi >/dev/null 2>&1 # what stays to serve the clipboard must not hold on to our output
}

for needed in curl "$program"; do
  command -v "$needed" >/dev/null || fail "$needed is not installed."
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
picture=$work/screenshot-$(date +%Y-%m-%d-%H%M%S).png

case $program in
  flameshot) flameshot gui --raw >"$picture" || true ;;
  spectacle) spectacle --region --background --nonotify --output "$picture" || true ;;
esac
# Whoever changes their mind leaves no picture.
[ -s "$picture" ] || exit 0

# The key comes by a pipe: arguments can be read by everybody on this machine.
status=$(printf 'Authorization: Bearer %s\n' "$key" |
  curl --silent --show-error --max-time 300 --header @- --form "file=@$picture;type=image/png" \
    --output "$work/reply" --write-out '%{http_code}' "$base/api/v1/images?format=txt" 2>"$work/fault") ||
  fail "$(cat "$work/fault")"
case $status in
  200 | 201) link=$(cat "$work/reply") ;;
  *)
    detail=$(sed -n 's/.*"detail": *"\([^"]*\)".*/\1/p' "$work/reply")
    fail "${detail:-The server answered $status.}"
    ;;
esac

printf '%s\n' "$link"
if printf '%s' "$link" | copy; then
  say 'The link is on the clipboard' "$link"
else
  say 'Install wl-copy, xclip or xsel to have links on the clipboard' "$link"
fi
