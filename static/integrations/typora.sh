#!/bin/sh
# Uploads pictures to {{base}} and prints a link for each, in their order, as Typora wants it of a custom command:
# sh kadr-typora.sh picture.jpg ...
set -eu

base='{{base}}'
key='{{key}}'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

for picture in "$@"; do
  # curl takes a name in quotes as it is.
  quoted=$(printf '%s' "$picture" | sed 's/[\\"]/\\&/g')
  # The key comes by a pipe: arguments can be read by everybody on this machine.
  status=$(printf 'Authorization: Bearer %s\n' "$key" |
    curl --silent --show-error --max-time 300 --header @- --form "file=@\"$quoted\"" \
      --output "$work/reply" --write-out '%{http_code}' "$base/api/v1/images?format=txt")
  case $status in
    200 | 201) printf '%s\n' "$(cat "$work/reply")" ;;
    *)
      detail=$(sed -n 's/.*"detail": *"\([^"]*\)".*/\1/p' "$work/reply")
      printf '%s: %s\n' "$picture" "${detail:-The server answered $status.}" >&2
      exit 1
      ;;
  esac
done
