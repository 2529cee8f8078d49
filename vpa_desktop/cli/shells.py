"""``completion``: the scripts that ask the program what comes next, one for each shell. What comes: ``completion.py``.

A script is the same for every version of the program: it only calls it.
"""

from __future__ import annotations

import argparse

from vpa_desktop.cli.completion import ASKED_FOR, FILES, FOLDERS
from vpa_desktop.cli.output import Output
from vpa_desktop.config import Paths

_BASH = """\
# Completion of vpa-desktop for bash. Put this line into ~/.bashrc:  eval "$(vpa-desktop completion bash)"
_vpa_desktop() {
    local current="${COMP_WORDS[COMP_CWORD]}" line
    COMPREPLY=()
    [[ $current == "=" ]] && current=""
    while IFS= read -r line; do
        case $line in
            @FILES@)
                compopt -o filenames 2>/dev/null
                while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current") ;;
            @FOLDERS@)
                compopt -o filenames 2>/dev/null
                while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "$current") ;;
            *) COMPREPLY+=("$(printf %q "${line%%$'\\t'*}")") ;;
        esac
    done < <("${COMP_WORDS[0]}" @ASKED_FOR@ bash "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _vpa_desktop vpa-desktop
"""

_ZSH = """\
#compdef vpa-desktop
# Completion of vpa-desktop for zsh. Put this line into ~/.zshrc, after compinit:
#   eval "$(vpa-desktop completion zsh)"
_vpa-desktop() {
    local line word
    local -a described
    while IFS= read -r line; do
        case $line in
            @FILES@) _files ;;
            @FOLDERS@) _files -/ ;;
            *)
                word="${line%%$'\\t'*}"
                if [[ $line == *$'\\t'* ]]; then described+=("${word//:/\\\\:}:${line#*$'\\t'}")
                else described+=("${word//:/\\\\:}"); fi ;;
        esac
    done < <("${(Q)words[1]}" @ASKED_FOR@ zsh "${(@Q)words[2,CURRENT]}" 2>/dev/null)
    (( $#described )) && _describe 'vpa-desktop' described
}
if [[ $funcstack[1] == _vpa-desktop ]]; then _vpa-desktop "$@"; else compdef _vpa-desktop vpa-desktop; fi
"""

_FISH = """\
# Completion of vpa-desktop for fish. Save it:
#   vpa-desktop completion fish > ~/.config/fish/completions/vpa-desktop.fish
function __vpa_desktop
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] @ASKED_FOR@ fish $words[2..-1] "$current" 2>/dev/null)
        switch $line
            case @FILES@
                __fish_complete_path "$current"
            case @FOLDERS@
                __fish_complete_directories "$current"
            case '*'
                echo $line
        end
    end
end
complete -c vpa-desktop -f -a '(__vpa_desktop)'
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


async def completion(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print the script of one shell."""
    text = script(options.shell)
    if out.as_json:
        out.document({"shell": options.shell, "script": text})
    else:
        out.piece(text)
    return 0


def script(shell: str) -> str:
    """Return the completion script of ``bash``, ``zsh`` or ``fish``."""
    text = _SCRIPTS[shell]
    for name, value in (("@ASKED_FOR@", ASKED_FOR), ("@FILES@", FILES), ("@FOLDERS@", FOLDERS)):
        text = text.replace(name, value)
    return text
