complete --keep-order --exclusive --command rollout --arguments "(ROLLOUT_COMPLETE=fish rollout -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
