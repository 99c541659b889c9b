#!/usr/bin/env bash
# Make this machine ready to run and test the gateway. Idempotent: what is there is left as it is.
#
#   1. Debian packages (packages.txt), none of whose services is started or enabled
#   2. Asterisk: the distribution's package, or a folder of its own in the user's cache (asterisk.sh)
#   3. .venv of this checkout, from the lock files with hashes, and the project itself in it
#
# Needs root or sudo only where packages are missing.

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=config/setup/common.sh
source config/setup/common.sh

checkout=$PWD
policy=/usr/sbin/policy-rc.d
mark="# put here by trunkline's set-up while packages are installed"
cluster=/etc/postgresql-common/createcluster.d/trunkline.conf

missing_packages() {
    local package
    while read -r package; do
        case $package in '' | '#'*) continue ;; esac
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || printf '%s\n' "$package"
    done <config/setup/packages.txt
}

# Debian starts a package's service as soon as it is installed. Another broker or database may be at work here, and
# this machine's owner did not ask for one: nothing is started, no database cluster is made.
hold_services() {
    trap release_services EXIT
    if [ -e "$policy" ] && ! grep -qF "$mark" "$policy"; then
        note "$policy is this machine's own and stays as it is"
    else
        printf '#!/bin/sh\n%s\nexit 101\n' "$mark" | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    as_root mkdir -p "${cluster%/*}"
    printf "create_main_cluster = false\n" | as_root tee "$cluster" >/dev/null
}

release_services() {
    if grep -qsF "$mark" "$policy"; then
        as_root rm -f "$policy"
    fi
    as_root rm -f "$cluster"
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 "$@"
}

# apt waits for dpkg's lock by itself, but not for the lock of its lists.
apt_update() {
    local try
    for try in 1 2 3 4 5 6 7 8 9 10; do
        if apt_get update; then
            return
        fi
        note "apt's lists could not be read (try $try of 10); another apt may be at work"
        sleep 6
    done
    return 1
}

install_packages() {
    local -a missing fresh_units=()
    mapfile -t missing < <(missing_packages)
    if [ "${#missing[@]}" -eq 0 ]; then
        return
    fi
    step "Installing Debian packages: ${missing[*]}" \
        "Check the network and apt's sources (apt-get update), then run it again."
    apt_update
    if printf '%s\n' "${missing[@]}" | grep -qx mosquitto; then
        fresh_units+=(mosquitto.service)
    fi
    if printf '%s\n' "${missing[@]}" | grep -qx postgresql; then
        fresh_units+=(postgresql.service)
    fi
    hold_services
    apt_get install -y --no-install-recommends "${missing[@]}"
    disable_units "${fresh_units[@]}"
    release_services
    trap - EXIT
}

# Only units whose package was not here before: the next start of the machine is not to start them either.
disable_units() {
    local unit
    for unit in "$@"; do
        if command -v systemctl >/dev/null; then
            as_root systemctl --quiet disable "$unit" || note "$unit could not be disabled"
        fi
    done
}

install_asterisk() {
    if command -v asterisk >/dev/null || [ -x /usr/sbin/asterisk ] || [ -n "${TRUNKLINE_ASTERISK_ROOT:-}" ]; then
        return
    fi
    if apt-cache policy asterisk 2>/dev/null | grep -q 'Candidate: [^(]'; then
        step "Installing the distribution's Asterisk" "Install the package asterisk by hand, then run it again."
        hold_services
        apt_get install -y --no-install-recommends asterisk asterisk-moh-opsound-wav
        disable_units asterisk.service
        release_services
        trap - EXIT
    else
        config/setup/asterisk.sh
    fi
}

# The first Python of 3.11 or later that can make environments; the distribution's before any other.
find_python() {
    local python
    for python in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    fail "There is no Python 3.11 or later with venv."
}

install_venv() {
    local stamp=.venv/.installed state python
    # what the environment was made from, and where: its scripts hold the checkout's path
    state=$(printf '%s\n' "$checkout" && sha256sum requirements/build.txt requirements/test.txt pyproject.toml)
    if [ -x .venv/bin/trunkline ] && .venv/bin/python -c '' 2>/dev/null && [ "$(cat "$stamp" 2>/dev/null)" = "$state" ]; then
        return
    fi
    step "Making .venv from the lock files" \
        "Check that pip reaches its package index (pip config list), then run it again; 'make clean' starts afresh."
    if ! .venv/bin/python -c '' 2>/dev/null || ! head -n 1 "$stamp" 2>/dev/null | grep -qxF "$checkout"; then
        python=$(find_python)
        note "with $python ($("$python" --version))"
        "$python" -m venv --clear .venv
    fi
    rm -f "$stamp"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --progress-bar off \
        --require-hashes -r requirements/build.txt -r requirements/test.txt
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
    printf '%s\n' "$state" >"$stamp"
}

step "Looking at this machine" "Run it again."
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    step_hint="Use Debian 12 or later, or install what config/setup/packages.txt names and Asterisk 20 or later."
    fail "This is not a Debian system."
fi
if [ -e "$cluster" ] || grep -qsF "$mark" "$policy"; then
    note "an earlier run was cut off; its hold on services is taken back"
    release_services
fi
install_packages
install_asterisk
install_venv
printf '==> Ready\n'
