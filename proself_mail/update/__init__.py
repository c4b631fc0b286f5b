"""`init` and `up`: what is looked at before an update, the update that always ends, its proof."""
