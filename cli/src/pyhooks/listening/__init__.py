"""`pyhooks listen`: events of a pull webhook, sent on to a program of this machine.

webhook.py    the pull webhook that is made or taken up, and its secret
claim.py      that one process at a time reads as one consumer
receiver.py   the program that events go to
reader.py     reading, sending on, committing; again after whatever fails
"""
