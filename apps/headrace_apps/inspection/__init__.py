"""Reading what a pipeline holds: for `headrace tail` and `explain`, and below `dead_letters`. Changes nothing."""
