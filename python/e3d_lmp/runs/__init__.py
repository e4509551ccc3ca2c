"""LAMMPS runs: driven from Python, as jobs of a scheduler, as campaigns of many jobs.

==================  ========================================================================================
`simulate`          a LAMMPS input whose edges arrive while it runs
`lammps_input`      inputs as LAMMPS reads them: commands, words, branches of an ``if``
`insitu`            the fixes of the plugin that gather while it runs
`lammps_program`    what a LAMMPS program says of itself, and whether a plugin fits it
`machines`          what a job has to know of a machine, from ``machines.yaml``
`restartable`       what an input offers so that a run can go on
`job`               job scripts, from ``job.sh``
`job_folder`        the folder of a job: what is in it, whether it may go on, how it stands
`queue`             jobs handed to a scheduler, and asked after
`progress`          how far a run has come, by its logs
`campaign`          a matrix of variables times an input, and what a changed file makes of it
`workers`           where members of a campaign run (Parsl)
`shell_task`        what is sent to nodes: a command, run in a folder
`campaign_run`      members brought to their end
`campaign_results`  what members have found, put together; the report
`watch`             a page that follows a job or a campaign
==================  ========================================================================================
"""
