"""LAMMPS runs: job scripts for machines and schedulers, chains of jobs, campaigns, and pages that follow
them.
"""
