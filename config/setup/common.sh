# Shared by the set-up scripts: steps that say what they do, and failures that say what to do next. Sourced by bash.

# -E: the trap below also holds inside functions
set -Eeuo pipefail

step_now="set-up"
step_hint="Run it again; it goes on where it stopped."

# step WHAT HINT: announce WHAT; should it fail, HINT is the next action.
step() {
    step_now=$1
    step_hint=$2
    printf '==> %s\n' "$1"
}

note() {
    printf '    %s\n' "$1"
}

fail() {
    printf '\nSet-up stopped at: %s\n%s\nNext: %s\n' "$step_now" "${1:-}" "$step_hint" >&2
    exit 1
}

trap 'fail "A command ended with an error (see above)."' ERR

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -- "$@"
    else
        fail "This needs root, and there is no sudo."
    fi
}

# apt_value KEY: apt's own setting, empty where it has none.
apt_value() {
    apt-config dump --format '%v%n' "$1" | head -n 1
}
