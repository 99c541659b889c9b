#!/usr/bin/env bash
# Show that the last commit runs on a fresh Debian 12 machine: make a bookworm root with nothing of the project on it,
# enter it by chroot, and run make's targets there (default: test, then run). Needs root and mmdebstrap.
#
#   tests/fresh_machine.sh [--keep FOLDER] [TARGET…]
#
# Everything runs in a process and mount namespace of its own, so nothing is left of it. With --keep the root is made in
# FOLDER, kept, and used again by the next run. The machine's own ways to its package archives (apt's sources and
# settings, certificates, pip's settings and local indexes) are taken over, so that it works behind a mirror.

set -Eeuo pipefail
trap 'printf "fresh machine: failed at line %s\n" "$LINENO" >&2' ERR

cd "$(dirname "${BASH_SOURCE[0]}")/.."
suite=bookworm
keep=""
if [ "${1:-}" = --keep ]; then
    keep=$(realpath -m "$2")
    shift 2
fi
targets=("$@")
[ "${#targets[@]}" -gt 0 ] || targets=(test run)

# Again, in namespaces of its own: all mounts and processes end with the script.
if [ "${FRESH_MACHINE_INSIDE:-}" != 1 ]; then
    [ "$(id -u)" -eq 0 ] || { printf 'fresh machine: run it as root\n' >&2; exit 2; }
    FRESH_MACHINE_INSIDE=1 exec unshare --mount --pid --fork --kill-child --mount-proc --propagation private \
        "$0" ${keep:+--keep "$keep"} "${targets[@]}"
fi

if [ -n "$keep" ]; then
    root=$keep
    mkdir -p "$root"
else
    root=$(mktemp -d)
    # the mounts below go first: rm must never reach through them
    trap 'umount -R "$root" && rm -rf --one-file-system "$root"' EXIT
fi
# a mount of its own, so that all that is mounted in it can be taken off at once
mount --bind "$root" "$root"

if [ ! -e "$root/etc/debian_version" ]; then
    mirror=$(apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "main" { print $2; exit }')
    options=()
    for key in Acquire::http::Proxy Acquire::Check-Valid-Until Acquire::Check-Date; do
        value=$(apt-config dump --format '%v%n' "$key" | head -n 1)
        [ -z "$value" ] || options+=("--aptopt=$key \"$value\";")
    done
    mmdebstrap --variant=minbase --include=make,ca-certificates "${options[@]}" "$suite" "$root" "$mirror"
fi

# take PATH…: the machine's own file or folder to the same place; what is not there is passed over
take() {
    local path
    for path in "$@"; do
        if [ -e "$path" ]; then
            mkdir -p "$root${path%/*}"
            cp -aL --remove-destination "$path" "$root${path%/*}/"
        fi
    done
}
rm -rf "$root/etc/apt/sources.list" "$root/etc/apt/sources.list.d"
take /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/preferences.d /etc/apt/keyrings \
    /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d /usr/share/keyrings /usr/local/share/ca-certificates \
    /etc/pip.conf /etc/hosts /etc/resolv.conf
mkdir -p "$root/root/.config/pip"
for settings in "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf"; do
    [ ! -e "$settings" ] || cp "$settings" "$root/root/.config/pip/pip.conf"
done
bundle=/etc/ssl/certs/ca-certificates.crt
[ ! -e "$bundle" ] || cp -L "$bundle" "$root/etc/ssl/machine-ca.crt"

# local folders that pip's settings name; the pages of an index link to files beside it
while read -r folder; do
    mkdir -p "$root$folder"
    mount --bind -o ro "$folder" "$root$folder"
done < <(python3 -m pip config list 2>/dev/null | grep -oE "(file://)?/[^' ,]+" | sed 's,^file://,,; s,/simple/*$,,' | sort -u |
    while read -r path; do [ ! -d "$path" ] || printf '%s\n' "$path"; done)

mkdir -p "$root"/{proc,sys,dev/shm,dev/pts,run,tmp}
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=0755 dev "$root/dev"
mkdir -p "$root"/dev/{shm,pts}
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
ln -sf pts/ptmx "$root/dev/ptmx"
ln -sf /proc/self/fd "$root/dev/fd"

checkout=/root/trunkline
rm -rf "$root$checkout"
mkdir -p "$root$checkout"
git archive HEAD | tar -x -C "$root$checkout"

environment=(HOME=/root USER=root LANG=C.UTF-8 TERM="${TERM:-dumb}"
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
while IFS= read -r -d '' pair; do
    case $pair in PIP_CERT=*) ;; PIP_* | http_proxy=* | https_proxy=* | no_proxy=*) environment+=("$pair") ;; esac
done < <(env -0)
[ ! -e "$root/etc/ssl/machine-ca.crt" ] || environment+=(PIP_CERT=/etc/ssl/machine-ca.crt)

# what runs a line inside; the signals are as a terminal gives them, not as a shell's background does
inside=(env -i --default-signal=INT "${environment[@]}" chroot "$root" /bin/bash -c)

# Only what the target itself started may be asked for here: nothing else runs in this namespace but this script.
left_over() {
    local pid
    for pid in $(ls /proc | grep -E '^[0-9]+$'); do
        if [ "$(readlink "/proc/$pid/root" 2>/dev/null)" = "$root" ]; then
            tr '\0' ' ' <"/proc/$pid/cmdline"
            printf '\n'
        fi
    done
}

run_demonstration() {
    local log=$root/tmp/run.log pid end
    # a session of its own, as a terminal would be
    setsid "${inside[@]}" "cd $checkout && exec make run" >"$log" 2>&1 &
    pid=$!
    end=$((SECONDS + ${FRESH_MACHINE_RUN_S:-900}))
    until grep -q 'tel\.call_started' "$log" && grep -q 'tel\.call_ended' "$log"; do
        if ! kill -0 "$pid" 2>/dev/null || [ "$SECONDS" -gt "$end" ]; then
            cat "$log"
            printf 'fresh machine: the demonstration call was not seen\n' >&2
            return 1
        fi
        sleep 1
    done
    # as Ctrl-C in a terminal does: to make, and to the program under it
    kill -INT -- "-$pid"
    wait "$pid" || true
    cat "$log"
}

for target in "${targets[@]}"; do
    printf '\n==== fresh machine: make %s\n' "$target"
    if [ "$target" = run ]; then
        run_demonstration
    else
        "${inside[@]}" "cd $checkout && exec make $target"
    fi
    remains=$(left_over)
    if [ -n "$remains" ]; then
        printf 'fresh machine: make %s left running:\n%s\n' "$target" "$remains" >&2
        exit 1
    fi
done
printf '\n==== fresh machine: all went well\n'
