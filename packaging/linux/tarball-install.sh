#!/bin/sh
# Installs this folder for one person. Conversations and settings are elsewhere and are never touched.
set -eu
from=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
data=${XDG_DATA_HOME:-$HOME/.local/share}
place=$HOME/.local/opt/vpa-desktop
command=$HOME/.local/bin/vpa-desktop
entry=$data/applications/vpa-desktop.desktop
icon=$data/icons/hicolor/scalable/apps/vpa-desktop.svg

fail() {
    echo "error: $1" >&2
    exit 1
}

is_open() {
    for exe in /proc/[0-9]*/exe; do
        case "$(readlink "$exe" 2>/dev/null)" in "$place"/*) return 0 ;; esac
    done
    return 1
}

if is_open; then
    fail "VPA Desktop is open. Its files cannot be exchanged under it. Close it and start this again."
fi
if [ "${1:-}" = remove ]; then
    rm -rf "$place" "$command" "$entry" "$icon"
    echo "Removed. Conversations and settings stay where they are."
    exit 0
fi
[ "$from" != "$place" ] || fail "This is the installed copy. It cannot install itself. Start it from an unpacked tarball."
mkdir -p "$HOME/.local/opt" "$HOME/.local/bin" "${entry%/*}" "${icon%/*}" ||
    fail "Nothing was installed. $HOME cannot be written. Mend its permissions and start this again."
rm -rf "$place.new"
# Copied whole before anything is exchanged: a disk without room leaves the old version as it was.
if ! cp -a "$from" "$place.new"; then
    rm -rf "$place.new"
    fail "Nothing was installed. The copy did not fit or could not be written. Free some room in $HOME and start this again."
fi
rm -rf "$place.old"
[ ! -e "$place" ] || mv "$place" "$place.old"
mv "$place.new" "$place"
rm -rf "$place.old"
ln -sfn "$place/vpa-desktop" "$command"
cp "$place/share/vpa-desktop.svg" "$icon"
sed "s|^Exec=.*|Exec=\"$place/vpa-desktop\" open %F|; s|^TryExec=.*|TryExec=$place/vpa-desktop|" \
    "$place/share/vpa-desktop.desktop" >"$entry"
echo "Installed. It is in the menu, and as $command on the command line."
