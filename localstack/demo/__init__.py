"""The service's main job, shown: `make run` does it at its start, `make demo` against a stack that runs.

show.py        the performance, which is also a check: it raises where something does not come about
receiver.py    the receiver that deliveries go to
signatures.py  how a receiver checks them, in both schemes
client.py      the calls that the show makes, as a user of the service would
screen.py      what the terminal shows
"""
