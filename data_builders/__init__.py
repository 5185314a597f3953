"""Data sets for TFDS: simulated systems and your own videos.

A file imports only from floors below its own: errors, locks, streams, configs, overrides < rendering < simulation <
tfds_backend < the builders < datasets (the library's entry) < build (the command).
"""
