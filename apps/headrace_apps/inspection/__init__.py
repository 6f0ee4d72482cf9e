"""Reading what a pipeline holds: records of topics, as JSON. For `headrace tail`; below `dead_letters`."""
