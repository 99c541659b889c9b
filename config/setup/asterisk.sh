#!/usr/bin/env bash
# Put Asterisk into a folder of its own, in the user's cache: for distributions that carry no package of it.
#
# The folder is filled from the suite that does carry it, by the archive that this machine's apt already uses. Nothing
# in it is configured or installed: Asterisk is run from it through the folder's own loader. It is made under a
# temporary name and renamed when it has been seen to run, so an interrupted run leaves no half-made folder in use.

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=config/setup/common.sh
source config/setup/common.sh

suite=sid
packages=asterisk,asterisk-modules,asterisk-config,asterisk-moh-opsound-wav
cache=${XDG_CACHE_HOME:-$HOME/.cache}/trunkline

mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9

if compgen -G "$cache/asterisk-*/usr/sbin/asterisk" >/dev/null; then
    exit 0
fi

step "Putting Asterisk ($suite) into $cache" \
    "Check the network, and that $suite is offered by this machine's archive; or install Asterisk 20 or later by hand."

rm -rf "$cache"/.partial-*
work=$(mktemp -d "$cache/.partial-XXXXXX")
trap 'rm -rf "$work"' EXIT
# mktemp's 0700 would keep others from the programs inside
chmod 755 "$work"

# apt itself reads its sources (both of their formats); the archive of the running release is the one to ask.
# shellcheck source=/dev/null
codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
mirror=$(apt-get indextargets --format '$(CODENAME) $(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
    awk -v name="$codename" '($1 == name || $2 == name) && $3 == "main" { print $4; exit }')
if [ -z "$mirror" ]; then
    mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk '$2 == "main" { print $3; exit }')
fi
[ -n "$mirror" ] || fail "apt names no archive with a component main."

options=()
for key in Acquire::http::Proxy Acquire::https::Proxy Acquire::https::CAInfo Acquire::Check-Valid-Until Acquire::Check-Date; do
    value=$(apt_value "$key")
    if [ -n "$value" ]; then
        options+=("--aptopt=$key \"$value\";")
    fi
done
if [ "$(id -u)" -ne 0 ]; then
    options+=(--mode=chrootless)
fi

extract() {
    mmdebstrap --variant=extract "${options[@]}" "$@" --include="$packages" "$suite" "$work/root" "$mirror" 2>&1 |
        tee "$work/log" | sed 's/^/    /'
}

if ! extract; then
    if grep -qiE 'expired|not valid yet|no longer valid' "$work/log"; then
        note "the archive is a frozen one whose date has passed: going on without the check of its date (signatures hold)"
        rm -rf "$work/root"
        extract '--aptopt=Acquire::Check-Valid-Until "false";' '--aptopt=Acquire::Check-Date "false";'
    else
        fail "mmdebstrap could not fill the folder (see above)."
    fi
fi

root=$work/root
loader=$(compgen -G "$root/usr/lib/*-linux-gnu*/ld-linux-*.so.*" | head -n 1)
[ -n "$loader" ] || fail "The folder has no loader."
version=$("$loader" --library-path "$(dirname "$loader")" "$root/usr/sbin/asterisk" -V)
number=$(sed -n 's/^Asterisk \([0-9][0-9.]*\).*/\1/p' <<<"$version")
[ -n "$number" ] || fail "Asterisk in the folder says '$version' instead of its version."
mv -T "$root" "$cache/asterisk-$number"
note "$version"
