#!/usr/bin/env bash
# A SLURM of one node on this machine's loopback, for the tests of workflow/profiles/slurm; as root.
#
#   scripts/slurm.sh install         Debian's packages slurm-wlm and munge
#   scripts/slurm.sh start FOLDER    everything of it lies below FOLDER; prints what to export
#   scripts/slurm.sh stop FOLDER     ends it, its jobs included
#
# In a shell: eval "$(scripts/slurm.sh start FOLDER)", then sinfo, squeue and Snakemake use it.
# The node has two pretended GPUs, of the model 'pretended', so that jobs that ask for one are run.
# A job in the partition 'urgent' puts one of 'all', the default, back into the queue where it needs
# the place. Nothing is confined and nothing is accounted. The system's own SLURM, if any, is not
# touched. Jobs have the niceness of whoever starts it.
set -euo pipefail

install() {
	# Where nothing can be fetched, that is known soon.
	local apt="timeout 300 apt-get -o Acquire::Retries=0 -o Acquire::http::Timeout=30"
	$apt update -qq
	DEBIAN_FRONTEND=noninteractive $apt install -y -qq --no-install-recommends slurm-wlm munge
}

start() {
	local cores host ports
	host=$(hostname -s)
	cores=$(nproc)
	# Free ports, so that two of them, or the system's own, do not meet.
	ports=$(python3 -c 'import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in held))')
	mkdir -p "$folder"/{bin,spool,state}
	chmod 755 "$folder"
	(umask 077 && head -c 128 /dev/urandom >"$folder/munge.key")
	cat >"$folder/slurm.conf" <<-CONF
		ClusterName=loopback
		SlurmctldHost=$host(127.0.0.1)
		SlurmctldPort=${ports% *}
		SlurmdPort=${ports#* }
		SlurmUser=root
		AuthType=auth/munge
		CredType=cred/munge
		# A job that is put back into the queue waits as long as its credentials are valid.
		AuthInfo=socket=$folder/munge.socket,cred_expire=5
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_Core_Memory
		AccountingStorageType=accounting_storage/none
		JobAcctGatherType=jobacct_gather/none
		MpiDefault=none
		ReturnToService=2
		MinJobAge=7200
		PreemptType=preempt/partition_prio
		PreemptMode=REQUEUE
		# As many clusters have it: only jobs that ask for it are put back.
		JobRequeue=0
		SchedulerParameters=sched_interval=2,bf_interval=2
		StateSaveLocation=$folder/state
		SlurmdSpoolDir=$folder/spool
		SlurmctldPidFile=$folder/slurmctld.pid
		SlurmdPidFile=$folder/slurmd.pid
		SlurmctldLogFile=$folder/slurmctld.log
		SlurmdLogFile=$folder/slurmd.log
		# The node is believed what is written here, whatever the machine has.
		SlurmdParameters=config_overrides
		GresTypes=gpu
		NodeName=$host NodeAddr=127.0.0.1 CPUs=$((cores < 2 ? 2 : cores)) RealMemory=64000 Gres=gpu:pretended:2
		PartitionName=all Nodes=$host Default=YES PriorityTier=1 MaxTime=UNLIMITED State=UP
		PartitionName=urgent Nodes=$host PriorityTier=2 MaxTime=UNLIMITED State=UP
	CONF
	printf 'Name=gpu Type=pretended File=%s\n' /dev/null /dev/zero >"$folder/gres.conf"
	# Snakemake's plugin takes all variables of SLURM from the environment of the steps of a job.
	printf '#!/bin/sh\nSLURM_CONF=%q exec %q "$@"\n' "$SLURM_CONF" "$(command -v srun)" >"$folder/bin/srun"
	chmod +x "$folder/bin/srun"
	# By force: it asks for folders that all users can enter, and here is none but root.
	munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
		--pid-file="$folder/munged.pid" --log-file="$folder/munged.log" \
		--seed-file="$folder/munged.seed" >&2
	slurmctld >&2
	slurmd >&2
	within 120 is_idle || {
		echo "$folder: the node does not start; see the logs there" >&2
		exit 1
	}
	printf 'export SLURM_CONF=%q PATH=%q:"$PATH"\n' "$SLURM_CONF" "$folder/bin"
}

# Whether a command succeeds within so many seconds.
within() {
	local seconds=$1
	shift
	for _ in $(seq $((seconds * 5))); do
		! "$@" || return 0
		sleep 0.2
	done
	return 1
}

is_idle() { [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]; }
is_empty() { [ -z "$(squeue --noheader 2>/dev/null)" ]; }
has_ended() { [ -z "$(daemons)" ]; }

# Process ids of what start has started and still runs.
daemons() {
	local name pid
	for name in slurmd slurmctld munged; do
		pid=$(cat "$folder/$name.pid" 2>/dev/null || true)
		[ "$(cat "/proc/${pid:-none}/comm" 2>/dev/null)" != "$name" ] || echo "$pid"
	done
}

stop() {
	scancel --user=root 2>/dev/null || true
	within 120 is_empty || true
	daemons | xargs -r kill
	within 120 has_ended
}

folder=$(realpath -m "${2:-.}")
export SLURM_CONF=$folder/slurm.conf PATH=$PATH:/usr/sbin:/sbin
case "${1:-} $#" in
"install 1") install ;;
"start 2") start ;;
"stop 2") stop ;;
*)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
