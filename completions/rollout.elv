set edit:completion:arg-completer[rollout] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) ROLLOUT_COMPLETE="elvish" rollout -- $@words) | to-lines
}
