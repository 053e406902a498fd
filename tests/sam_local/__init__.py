"""`sam local` without an image registry: a Docker engine of our own, and a base image of this machine's Python.

The image stands in for AWS's: it proves handlers, template and packaging, not Amazon Linux. Needs root, dockerd and
iptables (Debian: docker.io iptables). Everything it keeps is in one folder, SAM_LOCAL_DIR, and can be deleted.
"""
