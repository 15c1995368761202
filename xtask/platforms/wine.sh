#!/usr/bin/env bash
# Runs a Windows program as a process of this machine, in a Wine of the tests' own: WIF_WINE is its folder.
# Paths that the agent tells are told as Windows would have them.
for name in AGENT_CAINFO AGENT_CLIENTCERT AGENT_CLIENTCERTKEY AGENT_TEMPDIRECTORY AGENT_WORKFOLDER \
  SYSTEM_DEFAULTWORKINGDIRECTORY; do
  value=${!name-}
  if [[ $value == /* ]]; then export "$name=Z:${value//\//\\}"; fi
done
export WINEPREFIX=$WIF_WINE/prefix WINEDEBUG=-all WINEDLLOVERRIDES='bcryptprimitives=n;mscoree,mshtml='

# Windows gives CTRL_C to every process of a console, and Wine makes one of SIGINT for the process that gets it. So
# every process of this step that is at the console gets it.
interrupt() {
  for process in /proc/[0-9]*; do
    if [[ $process != "/proc/$$" ]] && ours "$process"; then kill -INT "${process#/proc/}"; fi
  done
}
ours() {
  lines "$1/environ" | grep --quiet --line-regexp "VSTS_PROCESS_LOOKUP_ID=$VSTS_PROCESS_LOOKUP_ID" &&
    lines "$1/cmdline" | grep --quiet '^task$\|index\.js$'
}
lines() { tr '\0' '\n' < "$1"; } 2> /dev/null
trap interrupt INT

wine=(/usr/lib/wine/wine64)
if [[ -n ${WIF_WINE_ROOTS-} ]]; then
  # Wine fills its trust store from this machine's: for these processes, the CAs in that file.
  mount='mount --bind "$WIF_WINE_ROOTS" /etc/ssl/certs/ca-certificates.crt'
  wine=(unshare --mount bash -c "$mount && exec $wine \"\$@\"" wine)
fi
# Wine's processes share this one's standard error, whatever a Windows program says of its own.
"${wine[@]}" "$@" 2>> "$WIF_WINE/stderr.log" &
while kill -0 $! 2> /dev/null; do wait $!; done
wait $!
