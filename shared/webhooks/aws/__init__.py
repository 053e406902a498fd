"""Adapters to AWS's services other than the table.

Each implements ports that the wings define, and turns AWS's errors into ours. Nothing but the functions' compositions
imports them.
"""
