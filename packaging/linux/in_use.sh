# Read by the maintainer scripts. A program that is open keeps its own files, whatever is installed over it.
lib=/usr/lib/vpa-desktop
here="$lib/@VERSION@"

is_open() {
    for exe in /proc/[0-9]*/exe; do
        case "$(readlink "$exe" 2>/dev/null)" in "$1"/*) return 0 ;; esac
    done
    return 1
}

remove_others() {
    for folder in "$lib"/*; do
        if [ -d "$folder" ] && [ "$folder" != "$here" ] && ! is_open "$folder"; then rm -rf "$folder"; fi
    done
}
