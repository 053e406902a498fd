"""The commands, a module for each noun or verb. A module is imported when its command is used."""
