"""1,000 applications of four objects each: from one commit that changes them all until each is applied and recorded, and
the memory that is resident with them in watch: python fleet_peer.py SHIPLOG KUBECONFIG. With the sandbox, which shares
the process, the memory is of both."""
import sys
import time

from peer import Peer, write

COUNT, OBJECTS = 1000, 4
SECONDS, MEGABYTES = 60, 150


def say(name, value, unit, goal):
    print(f"{name:<58}{f'{value:.0f} {unit}':<26}{f'< {goal} {unit}':<18}{'met' if value < goal else 'MISSED'}")


def wait(peer, commit, limit=900):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, cursor = 0, ""
        while True:
            page = peer.server.call("GET", "/applications?limit=500" + cursor)
            done += sum(one.get("deployed", {}).get("commit") == commit and one["sync"] == "Synced"
                        for one in page["items"])
            if not page.get("nextCursor"):
                break
            cursor = "&cursor=" + page["nextCursor"]
        if done == COUNT:
            return
        time.sleep(0.5)
    sys.exit(f"only {done} of {COUNT} applications were deployed after {limit} s")


def head(peer):
    return (peer.repository / ".git/refs/heads/main").read_text().strip()


def change(peer, value):
    for index in range(COUNT):
        folder = peer.repository / f"apps/{index}"
        write(folder, "bench", value, OBJECTS)
        for file in folder.iterdir():
            file.write_text(file.read_text().replace("name: map-", f"name: app-{index}-map-"))
    peer.commit(value)


def main():
    with Peer() as peer:
        change(peer, "0")
        for index in range(COUNT):
            peer.register(f"app-{index}", f"apps/{index}", automated=True)
        wait(peer, head(peer))
        change(peer, "1")
        start = time.perf_counter()
        # One fetch of the repository wakes its other readers by the webhook or the poll; here each is asked.
        for index in range(COUNT):
            peer.server.call("POST", f"/applications/app-{index}/refresh", {})
        wait(peer, head(peer))
        say(f"fleet: {COUNT} applications of {OBJECTS} objects, commit to recorded", time.perf_counter() - start, "s",
            SECONDS)
        time.sleep(5)
        say("fleet: resident with all of them in watch" + ("" if peer.external else ", sandbox included"),
            peer.resident_megabytes(), "MB", MEGABYTES)


main()
