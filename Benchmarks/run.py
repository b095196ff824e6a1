"""Runs every measurement and prints one table: python run.py BENCHMARK [ROWS…]."""
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    benchmark, rows = sys.argv[1], sys.argv[2:] or ["10000", "1000000"]
    print(f"{'measurement':<58}{'value':<26}{'goal':<18}verdict", flush=True)
    with tempfile.TemporaryDirectory(prefix="shiplog-bench-") as folder:
        sample = folder + "/sample.yaml"
        answer = subprocess.run([benchmark, "yaml", sample], check=True, capture_output=True, text=True).stdout
        for line in answer.splitlines():
            if line.startswith("yaml-seconds"):
                subprocess.run([sys.executable, HERE / "yaml_peer.py", sample, line.split()[1]], check=True)
            else:
                print(line, flush=True)
        for name in (["ledger"], ["poll"], ["export"], ["history", *rows], ["state", *rows], ["log", *rows], ["verify", *rows]):
            subprocess.run([benchmark, *name], check=True)
        shiplog = Path(benchmark).with_name("shiplog")
        if not shiplog.exists():
            sys.exit("sync: build the program too (make build) to compare with kubectl")
        for script in ("sync_peer.py", "diff_peer.py", "rollback_peer.py", "fleet_peer.py"):
            subprocess.run([sys.executable, HERE / script, shiplog], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
