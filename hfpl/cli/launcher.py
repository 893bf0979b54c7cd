"""A command of hfpl in several processes, by torchrun: ``python -m hfpl.cli.launcher N cam ...``.

torchrun starts and ends them. Process 0 says what went wrong in one line; torchrun's own warnings
and traceback are left out. With N of 0 or 1 the command runs in this process.
"""

import logging
import signal
import sys

from hfpl.cli import main as run_command


def main(arguments: list[str]) -> int:
    """Run a command in as many processes as the first argument says; the exit status."""
    if not arguments or not arguments[0].isdecimal():
        print("usage: python -m hfpl.cli.launcher PROCESSES COMMAND ...", file=sys.stderr)
        return 2
    processes, command = int(arguments[0]), arguments[1:]
    if processes <= 1:
        return run_command(command)

    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    logging.disable(logging.ERROR)
    options = ["--standalone", "--nproc-per-node", str(processes), "-m"]
    try:
        # What follows the dashes is the command's, also where it looks like torchrun's own.
        torchrun.main([*options, "--", "hfpl.cli", *command])
    except SignalException:
        return 1
    except ChildFailedError as error:
        rank, first = error.get_first_failure()
        if first.exitcode < 0:  # It had no last words.
            name = signal.Signals(-first.exitcode).name
            print(f"hfpl: error: process {rank} was ended by {name}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
