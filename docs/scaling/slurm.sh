#!/usr/bin/env bash
# Two nodes with a worker process each, on Slurm: sbatch slurm.sh
#
# A worker that dies ends all of them, and Slurm starts the job again (--requeue): it
# goes on from the newest checkpoint, also with another number of nodes. Only the first
# worker reads and writes the workdir; every worker reads the data.
#SBATCH --job-name=gan
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@120
set -euo pipefail

PORT=${PORT:-12345}
WORKERS=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed "s/.*/\"&:$PORT\"/" | paste -sd,)
export WORKERS

status=0
srun --kill-on-bad-exit=1 bash -c '
  export TF_CONFIG="{\"cluster\": {\"worker\": [$WORKERS]},
    \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
  exec python -m keras_gans.train --model=dcgan --workdir="$HOME/runs/dcgan" \
    --set=data.dataset=folder:"$HOME/pictures" --set=data.image_size=64 \
    --set=data.batch_size=256
' || status=$?
# 75: a worker was lost; above 128: one was killed (130: told to stop).
if [ "$status" = 75 ] || { [ "$status" -gt 128 ] && [ "$status" != 130 ]; }; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
