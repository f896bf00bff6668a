# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rollout_global_optspecs
    string join \n n/namespace= context= cluster= user= kubeconfig= as= as-group= request-timeout= sandbox= sandbox-rules= identity= q/quiet color= h/help V/version
end

function __fish_rollout_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rollout_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rollout_using_subcommand
    set -l cmd (__fish_rollout_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rollout -n "__fish_rollout_needs_command" -s n -l namespace -d 'Act in this namespace' -r
complete -c rollout -n "__fish_rollout_needs_command" -l context -d 'Use this context of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_needs_command" -l cluster -d 'Use this cluster of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_needs_command" -l user -d 'Use this user of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_needs_command" -l kubeconfig -d 'Read this kubeconfig' -r -F
complete -c rollout -n "__fish_rollout_needs_command" -l as -d 'Act as this user' -r
complete -c rollout -n "__fish_rollout_needs_command" -l as-group -d 'Act as a member of this group; can be repeated' -r
complete -c rollout -n "__fish_rollout_needs_command" -l request-timeout -d 'Give up on a single request after this time' -r
complete -c rollout -n "__fish_rollout_needs_command" -l sandbox -d 'Work in a sandbox instead of a cluster' -r -F
complete -c rollout -n "__fish_rollout_needs_command" -l sandbox-rules -d 'Script the sandbox\'s kubelet with the rules in this file' -r -F
complete -c rollout -n "__fish_rollout_needs_command" -l identity -d 'Go by this name in the queue of runs' -r
complete -c rollout -n "__fish_rollout_needs_command" -l color -d 'Colour the conversation on stderr, and differences' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c rollout -n "__fish_rollout_needs_command" -s q -l quiet -d 'Say nothing on stderr but warnings and errors'
complete -c rollout -n "__fish_rollout_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rollout -n "__fish_rollout_needs_command" -s V -l version -d 'Print version'
complete -c rollout -n "__fish_rollout_needs_command" -f -a "apply" -d 'Roll out the applications in manifests, batch by batch'
complete -c rollout -n "__fish_rollout_needs_command" -f -a "plan" -d 'Show what applying manifests would do, and do nothing'
complete -c rollout -n "__fish_rollout_needs_command" -f -a "status" -d 'Show where components stand'
complete -c rollout -n "__fish_rollout_needs_command" -f -a "undo" -d 'Go back to an earlier revision, in batches'
complete -c rollout -n "__fish_rollout_needs_command" -f -a "promote" -d 'Go on past the gate, to the next batch or to the end'
complete -c rollout -n "__fish_rollout_needs_command" -f -a "pause" -d 'Stop the run under way after the write in flight'
complete -c rollout -n "__fish_rollout_needs_command" -f -a "resume" -d 'Go on with a run that was paused, stopped or lost its process'
complete -c rollout -n "__fish_rollout_needs_command" -f -a "abort" -d 'Return from the run under way to where it began, at once'
complete -c rollout -n "__fish_rollout_needs_command" -f -a "scale" -d 'Give a component another size, in batches'
complete -c rollout -n "__fish_rollout_needs_command" -f -a "delete" -d 'Remove what an application owns, or one of its components'
complete -c rollout -n "__fish_rollout_needs_command" -f -a "history" -d 'Show the revisions of a component and the runs that rolled them out'
complete -c rollout -n "__fish_rollout_needs_command" -f -a "crds" -d 'Print the definitions of two optional kinds, for `kubectl get app` and `kubectl get rollout`'
complete -c rollout -n "__fish_rollout_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c rollout -n "__fish_rollout_needs_command" -f -a "man" -d 'Print the manual page, or write a page for every command'
complete -c rollout -n "__fish_rollout_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rollout -n "__fish_rollout_using_subcommand apply" -s f -l filename -d 'Read this manifest, as kubectl has it; can be repeated' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l batches -d 'Cut the run into these batches' -r
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l partition -d 'Stop after this batch, counted from 0' -r
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l timeout -d 'Give up on the whole run after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l batch-timeout -d 'Give up on a batch after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l lock-timeout -d 'Give up on waiting for another run of the application after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l on-failure -d 'Do this with a component whose pods do not become ready' -r -f -a "hold\t'It stays as it is, for somebody to look at and to go on'
undo\t'It returns to the revision and the size from before, as with `rollout abort`; the exit code stays 3'"
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l dry-run -d 'Say what would be done and do nothing' -r -f -a "client\t'Here: the cluster is read, nothing is sent'
server\t'Also on the server, which judges what would be created and keeps nothing'"
complete -c rollout -n "__fish_rollout_using_subcommand apply" -s o -l output -d 'Print the result in this form' -r -f -a "table\t'The final table'
wide\t'The final table with more columns'
json\t'The final state as one JSON document'
yaml\t'The final state as one YAML document'
name\t'The names of the components, one a line'
ndjson\t'Every event as it happens, one JSON object a line'"
complete -c rollout -n "__fish_rollout_using_subcommand apply" -s n -l namespace -d 'Act in this namespace' -r
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l context -d 'Use this context of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l cluster -d 'Use this cluster of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l user -d 'Use this user of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l kubeconfig -d 'Read this kubeconfig' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l as -d 'Act as this user' -r
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l as-group -d 'Act as a member of this group; can be repeated' -r
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l request-timeout -d 'Give up on a single request after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l sandbox -d 'Work in a sandbox instead of a cluster' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l sandbox-rules -d 'Script the sandbox\'s kubelet with the rules in this file' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l identity -d 'Go by this name in the queue of runs' -r
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l color -d 'Colour the conversation on stderr, and differences' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l fail-fast -d 'Give up on a batch as soon as there is a sign that waiting will not help'
complete -c rollout -n "__fish_rollout_using_subcommand apply" -l reuse-revision -d 'Accept other content under an `externalRevision` that exists'
complete -c rollout -n "__fish_rollout_using_subcommand apply" -s q -l quiet -d 'Say nothing on stderr but warnings and errors'
complete -c rollout -n "__fish_rollout_using_subcommand apply" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rollout -n "__fish_rollout_using_subcommand plan" -s f -l filename -d 'Read this manifest, as kubectl has it; can be repeated' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand plan" -l batches -d 'Cut the run into these batches' -r
complete -c rollout -n "__fish_rollout_using_subcommand plan" -l partition -d 'Stop after this batch, counted from 0' -r
complete -c rollout -n "__fish_rollout_using_subcommand plan" -s n -l namespace -d 'Act in this namespace' -r
complete -c rollout -n "__fish_rollout_using_subcommand plan" -l context -d 'Use this context of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand plan" -l cluster -d 'Use this cluster of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand plan" -l user -d 'Use this user of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand plan" -l kubeconfig -d 'Read this kubeconfig' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand plan" -l as -d 'Act as this user' -r
complete -c rollout -n "__fish_rollout_using_subcommand plan" -l as-group -d 'Act as a member of this group; can be repeated' -r
complete -c rollout -n "__fish_rollout_using_subcommand plan" -l request-timeout -d 'Give up on a single request after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand plan" -l sandbox -d 'Work in a sandbox instead of a cluster' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand plan" -l sandbox-rules -d 'Script the sandbox\'s kubelet with the rules in this file' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand plan" -l identity -d 'Go by this name in the queue of runs' -r
complete -c rollout -n "__fish_rollout_using_subcommand plan" -l color -d 'Colour the conversation on stderr, and differences' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c rollout -n "__fish_rollout_using_subcommand plan" -l reuse-revision -d 'Accept other content under an `externalRevision` that exists'
complete -c rollout -n "__fish_rollout_using_subcommand plan" -l detailed-exitcode -d 'Exit with 8 when there are changes to make, with 0 when there are none'
complete -c rollout -n "__fish_rollout_using_subcommand plan" -s q -l quiet -d 'Say nothing on stderr but warnings and errors'
complete -c rollout -n "__fish_rollout_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rollout -n "__fish_rollout_using_subcommand status" -l until -d 'Follow until all that is shown is so far, then exit with 0; with 3 where a run fails before' -r -f -a "ready\t'The batch under way has its pods ready'
gate\t'The run is held at its gate, or done'
done\t'The rollout is done'"
complete -c rollout -n "__fish_rollout_using_subcommand status" -l timeout -d 'Give up on `--until` after this time, with exit code 3' -r
complete -c rollout -n "__fish_rollout_using_subcommand status" -s o -l output -d 'Print in this form' -r -f -a "table\t'A table'
wide\t'The table with more columns'
json\t'One JSON document'
yaml\t'One YAML document'
name\t'Names, one a line'"
complete -c rollout -n "__fish_rollout_using_subcommand status" -s n -l namespace -d 'Act in this namespace' -r
complete -c rollout -n "__fish_rollout_using_subcommand status" -l context -d 'Use this context of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand status" -l cluster -d 'Use this cluster of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand status" -l user -d 'Use this user of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand status" -l kubeconfig -d 'Read this kubeconfig' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand status" -l as -d 'Act as this user' -r
complete -c rollout -n "__fish_rollout_using_subcommand status" -l as-group -d 'Act as a member of this group; can be repeated' -r
complete -c rollout -n "__fish_rollout_using_subcommand status" -l request-timeout -d 'Give up on a single request after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand status" -l sandbox -d 'Work in a sandbox instead of a cluster' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand status" -l sandbox-rules -d 'Script the sandbox\'s kubelet with the rules in this file' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand status" -l identity -d 'Go by this name in the queue of runs' -r
complete -c rollout -n "__fish_rollout_using_subcommand status" -l color -d 'Colour the conversation on stderr, and differences' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c rollout -n "__fish_rollout_using_subcommand status" -s w -l watch -d 'Print again at every change, until interrupted'
complete -c rollout -n "__fish_rollout_using_subcommand status" -s q -l quiet -d 'Say nothing on stderr but warnings and errors'
complete -c rollout -n "__fish_rollout_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l to-revision -d 'Go to this revision: its name, the part after the component\'s name, or its number' -r
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l batches -d 'Cut the run into these batches' -r
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l partition -d 'Stop after this batch, counted from 0' -r
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l timeout -d 'Give up on the whole run after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l batch-timeout -d 'Give up on a batch after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l lock-timeout -d 'Give up on waiting for another run of the application after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand undo" -s o -l output -d 'Print the result in this form' -r -f -a "table\t'The final table'
wide\t'The final table with more columns'
json\t'The final state as one JSON document'
yaml\t'The final state as one YAML document'
name\t'The names of the components, one a line'
ndjson\t'Every event as it happens, one JSON object a line'"
complete -c rollout -n "__fish_rollout_using_subcommand undo" -s n -l namespace -d 'Act in this namespace' -r
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l context -d 'Use this context of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l cluster -d 'Use this cluster of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l user -d 'Use this user of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l kubeconfig -d 'Read this kubeconfig' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l as -d 'Act as this user' -r
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l as-group -d 'Act as a member of this group; can be repeated' -r
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l request-timeout -d 'Give up on a single request after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l sandbox -d 'Work in a sandbox instead of a cluster' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l sandbox-rules -d 'Script the sandbox\'s kubelet with the rules in this file' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l identity -d 'Go by this name in the queue of runs' -r
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l color -d 'Colour the conversation on stderr, and differences' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l now -d 'Go back in one batch, and take over from a run that is under way'
complete -c rollout -n "__fish_rollout_using_subcommand undo" -l fail-fast -d 'Give up on a batch as soon as there is a sign that waiting will not help'
complete -c rollout -n "__fish_rollout_using_subcommand undo" -s q -l quiet -d 'Say nothing on stderr but warnings and errors'
complete -c rollout -n "__fish_rollout_using_subcommand undo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l timeout -d 'Give up on the whole run after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l batch-timeout -d 'Give up on a batch after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l lock-timeout -d 'Give up on waiting for another run of the application after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand promote" -s o -l output -d 'Print the result in this form' -r -f -a "table\t'The final table'
wide\t'The final table with more columns'
json\t'The final state as one JSON document'
yaml\t'The final state as one YAML document'
name\t'The names of the components, one a line'
ndjson\t'Every event as it happens, one JSON object a line'"
complete -c rollout -n "__fish_rollout_using_subcommand promote" -s n -l namespace -d 'Act in this namespace' -r
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l context -d 'Use this context of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l cluster -d 'Use this cluster of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l user -d 'Use this user of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l kubeconfig -d 'Read this kubeconfig' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l as -d 'Act as this user' -r
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l as-group -d 'Act as a member of this group; can be repeated' -r
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l request-timeout -d 'Give up on a single request after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l sandbox -d 'Work in a sandbox instead of a cluster' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l sandbox-rules -d 'Script the sandbox\'s kubelet with the rules in this file' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l identity -d 'Go by this name in the queue of runs' -r
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l color -d 'Colour the conversation on stderr, and differences' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l full -d 'Go on to the end, without another gate'
complete -c rollout -n "__fish_rollout_using_subcommand promote" -l fail-fast -d 'Give up on a batch as soon as there is a sign that waiting will not help'
complete -c rollout -n "__fish_rollout_using_subcommand promote" -s q -l quiet -d 'Say nothing on stderr but warnings and errors'
complete -c rollout -n "__fish_rollout_using_subcommand promote" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rollout -n "__fish_rollout_using_subcommand pause" -s o -l output -d 'Print in this form' -r -f -a "table\t'A table'
wide\t'The table with more columns'
json\t'One JSON document'
yaml\t'One YAML document'
name\t'Names, one a line'"
complete -c rollout -n "__fish_rollout_using_subcommand pause" -s n -l namespace -d 'Act in this namespace' -r
complete -c rollout -n "__fish_rollout_using_subcommand pause" -l context -d 'Use this context of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand pause" -l cluster -d 'Use this cluster of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand pause" -l user -d 'Use this user of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand pause" -l kubeconfig -d 'Read this kubeconfig' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand pause" -l as -d 'Act as this user' -r
complete -c rollout -n "__fish_rollout_using_subcommand pause" -l as-group -d 'Act as a member of this group; can be repeated' -r
complete -c rollout -n "__fish_rollout_using_subcommand pause" -l request-timeout -d 'Give up on a single request after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand pause" -l sandbox -d 'Work in a sandbox instead of a cluster' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand pause" -l sandbox-rules -d 'Script the sandbox\'s kubelet with the rules in this file' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand pause" -l identity -d 'Go by this name in the queue of runs' -r
complete -c rollout -n "__fish_rollout_using_subcommand pause" -l color -d 'Colour the conversation on stderr, and differences' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c rollout -n "__fish_rollout_using_subcommand pause" -s q -l quiet -d 'Say nothing on stderr but warnings and errors'
complete -c rollout -n "__fish_rollout_using_subcommand pause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rollout -n "__fish_rollout_using_subcommand resume" -l timeout -d 'Give up on the whole run after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand resume" -l batch-timeout -d 'Give up on a batch after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand resume" -l lock-timeout -d 'Give up on waiting for another run of the application after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand resume" -s o -l output -d 'Print the result in this form' -r -f -a "table\t'The final table'
wide\t'The final table with more columns'
json\t'The final state as one JSON document'
yaml\t'The final state as one YAML document'
name\t'The names of the components, one a line'
ndjson\t'Every event as it happens, one JSON object a line'"
complete -c rollout -n "__fish_rollout_using_subcommand resume" -s n -l namespace -d 'Act in this namespace' -r
complete -c rollout -n "__fish_rollout_using_subcommand resume" -l context -d 'Use this context of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand resume" -l cluster -d 'Use this cluster of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand resume" -l user -d 'Use this user of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand resume" -l kubeconfig -d 'Read this kubeconfig' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand resume" -l as -d 'Act as this user' -r
complete -c rollout -n "__fish_rollout_using_subcommand resume" -l as-group -d 'Act as a member of this group; can be repeated' -r
complete -c rollout -n "__fish_rollout_using_subcommand resume" -l request-timeout -d 'Give up on a single request after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand resume" -l sandbox -d 'Work in a sandbox instead of a cluster' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand resume" -l sandbox-rules -d 'Script the sandbox\'s kubelet with the rules in this file' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand resume" -l identity -d 'Go by this name in the queue of runs' -r
complete -c rollout -n "__fish_rollout_using_subcommand resume" -l color -d 'Colour the conversation on stderr, and differences' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c rollout -n "__fish_rollout_using_subcommand resume" -l fail-fast -d 'Give up on a batch as soon as there is a sign that waiting will not help'
complete -c rollout -n "__fish_rollout_using_subcommand resume" -s q -l quiet -d 'Say nothing on stderr but warnings and errors'
complete -c rollout -n "__fish_rollout_using_subcommand resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l batches -d 'Cut the run into these batches' -r
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l partition -d 'Stop after this batch, counted from 0' -r
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l timeout -d 'Give up on the whole run after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l batch-timeout -d 'Give up on a batch after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l lock-timeout -d 'Give up on waiting for another run of the application after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand abort" -s o -l output -d 'Print the result in this form' -r -f -a "table\t'The final table'
wide\t'The final table with more columns'
json\t'The final state as one JSON document'
yaml\t'The final state as one YAML document'
name\t'The names of the components, one a line'
ndjson\t'Every event as it happens, one JSON object a line'"
complete -c rollout -n "__fish_rollout_using_subcommand abort" -s n -l namespace -d 'Act in this namespace' -r
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l context -d 'Use this context of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l cluster -d 'Use this cluster of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l user -d 'Use this user of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l kubeconfig -d 'Read this kubeconfig' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l as -d 'Act as this user' -r
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l as-group -d 'Act as a member of this group; can be repeated' -r
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l request-timeout -d 'Give up on a single request after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l sandbox -d 'Work in a sandbox instead of a cluster' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l sandbox-rules -d 'Script the sandbox\'s kubelet with the rules in this file' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l identity -d 'Go by this name in the queue of runs' -r
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l color -d 'Colour the conversation on stderr, and differences' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c rollout -n "__fish_rollout_using_subcommand abort" -l fail-fast -d 'Give up on a batch as soon as there is a sign that waiting will not help'
complete -c rollout -n "__fish_rollout_using_subcommand abort" -s q -l quiet -d 'Say nothing on stderr but warnings and errors'
complete -c rollout -n "__fish_rollout_using_subcommand abort" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l replicas -d 'Replicas wanted; 0 or more' -r
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l batches -d 'Cut the run into these batches' -r
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l partition -d 'Stop after this batch, counted from 0' -r
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l timeout -d 'Give up on the whole run after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l batch-timeout -d 'Give up on a batch after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l lock-timeout -d 'Give up on waiting for another run of the application after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand scale" -s o -l output -d 'Print the result in this form' -r -f -a "table\t'The final table'
wide\t'The final table with more columns'
json\t'The final state as one JSON document'
yaml\t'The final state as one YAML document'
name\t'The names of the components, one a line'
ndjson\t'Every event as it happens, one JSON object a line'"
complete -c rollout -n "__fish_rollout_using_subcommand scale" -s n -l namespace -d 'Act in this namespace' -r
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l context -d 'Use this context of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l cluster -d 'Use this cluster of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l user -d 'Use this user of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l kubeconfig -d 'Read this kubeconfig' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l as -d 'Act as this user' -r
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l as-group -d 'Act as a member of this group; can be repeated' -r
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l request-timeout -d 'Give up on a single request after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l sandbox -d 'Work in a sandbox instead of a cluster' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l sandbox-rules -d 'Script the sandbox\'s kubelet with the rules in this file' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l identity -d 'Go by this name in the queue of runs' -r
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l color -d 'Colour the conversation on stderr, and differences' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c rollout -n "__fish_rollout_using_subcommand scale" -l fail-fast -d 'Give up on a batch as soon as there is a sign that waiting will not help'
complete -c rollout -n "__fish_rollout_using_subcommand scale" -s q -l quiet -d 'Say nothing on stderr but warnings and errors'
complete -c rollout -n "__fish_rollout_using_subcommand scale" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rollout -n "__fish_rollout_using_subcommand delete" -s f -l filename -d 'Remove the applications of this manifest, as kubectl has it; can be repeated' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand delete" -l dry-run -d 'Say what would be removed and remove nothing' -r -f -a "client\t''"
complete -c rollout -n "__fish_rollout_using_subcommand delete" -l lock-timeout -d 'Give up on waiting for another run of the application after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand delete" -s n -l namespace -d 'Act in this namespace' -r
complete -c rollout -n "__fish_rollout_using_subcommand delete" -l context -d 'Use this context of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand delete" -l cluster -d 'Use this cluster of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand delete" -l user -d 'Use this user of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand delete" -l kubeconfig -d 'Read this kubeconfig' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand delete" -l as -d 'Act as this user' -r
complete -c rollout -n "__fish_rollout_using_subcommand delete" -l as-group -d 'Act as a member of this group; can be repeated' -r
complete -c rollout -n "__fish_rollout_using_subcommand delete" -l request-timeout -d 'Give up on a single request after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand delete" -l sandbox -d 'Work in a sandbox instead of a cluster' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand delete" -l sandbox-rules -d 'Script the sandbox\'s kubelet with the rules in this file' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand delete" -l identity -d 'Go by this name in the queue of runs' -r
complete -c rollout -n "__fish_rollout_using_subcommand delete" -l color -d 'Colour the conversation on stderr, and differences' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c rollout -n "__fish_rollout_using_subcommand delete" -s y -l yes -d 'Do not ask'
complete -c rollout -n "__fish_rollout_using_subcommand delete" -s q -l quiet -d 'Say nothing on stderr but warnings and errors'
complete -c rollout -n "__fish_rollout_using_subcommand delete" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rollout -n "__fish_rollout_using_subcommand history" -l revision -d 'Show what is in this revision: its name, the part after the component\'s name, or its number' -r
complete -c rollout -n "__fish_rollout_using_subcommand history" -l diff -d 'Show the difference between the workloads of two revisions' -r
complete -c rollout -n "__fish_rollout_using_subcommand history" -s o -l output -d 'Print in this form' -r -f -a "table\t'A table'
wide\t'The table with more columns'
json\t'One JSON document'
yaml\t'One YAML document'
name\t'Names, one a line'"
complete -c rollout -n "__fish_rollout_using_subcommand history" -s n -l namespace -d 'Act in this namespace' -r
complete -c rollout -n "__fish_rollout_using_subcommand history" -l context -d 'Use this context of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand history" -l cluster -d 'Use this cluster of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand history" -l user -d 'Use this user of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand history" -l kubeconfig -d 'Read this kubeconfig' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand history" -l as -d 'Act as this user' -r
complete -c rollout -n "__fish_rollout_using_subcommand history" -l as-group -d 'Act as a member of this group; can be repeated' -r
complete -c rollout -n "__fish_rollout_using_subcommand history" -l request-timeout -d 'Give up on a single request after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand history" -l sandbox -d 'Work in a sandbox instead of a cluster' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand history" -l sandbox-rules -d 'Script the sandbox\'s kubelet with the rules in this file' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand history" -l identity -d 'Go by this name in the queue of runs' -r
complete -c rollout -n "__fish_rollout_using_subcommand history" -l color -d 'Colour the conversation on stderr, and differences' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c rollout -n "__fish_rollout_using_subcommand history" -s q -l quiet -d 'Say nothing on stderr but warnings and errors'
complete -c rollout -n "__fish_rollout_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rollout -n "__fish_rollout_using_subcommand crds" -s n -l namespace -d 'Act in this namespace' -r
complete -c rollout -n "__fish_rollout_using_subcommand crds" -l context -d 'Use this context of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand crds" -l cluster -d 'Use this cluster of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand crds" -l user -d 'Use this user of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand crds" -l kubeconfig -d 'Read this kubeconfig' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand crds" -l as -d 'Act as this user' -r
complete -c rollout -n "__fish_rollout_using_subcommand crds" -l as-group -d 'Act as a member of this group; can be repeated' -r
complete -c rollout -n "__fish_rollout_using_subcommand crds" -l request-timeout -d 'Give up on a single request after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand crds" -l sandbox -d 'Work in a sandbox instead of a cluster' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand crds" -l sandbox-rules -d 'Script the sandbox\'s kubelet with the rules in this file' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand crds" -l identity -d 'Go by this name in the queue of runs' -r
complete -c rollout -n "__fish_rollout_using_subcommand crds" -l color -d 'Colour the conversation on stderr, and differences' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c rollout -n "__fish_rollout_using_subcommand crds" -s q -l quiet -d 'Say nothing on stderr but warnings and errors'
complete -c rollout -n "__fish_rollout_using_subcommand crds" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rollout -n "__fish_rollout_using_subcommand completions" -s n -l namespace -d 'Act in this namespace' -r
complete -c rollout -n "__fish_rollout_using_subcommand completions" -l context -d 'Use this context of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand completions" -l cluster -d 'Use this cluster of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand completions" -l user -d 'Use this user of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand completions" -l kubeconfig -d 'Read this kubeconfig' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand completions" -l as -d 'Act as this user' -r
complete -c rollout -n "__fish_rollout_using_subcommand completions" -l as-group -d 'Act as a member of this group; can be repeated' -r
complete -c rollout -n "__fish_rollout_using_subcommand completions" -l request-timeout -d 'Give up on a single request after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand completions" -l sandbox -d 'Work in a sandbox instead of a cluster' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand completions" -l sandbox-rules -d 'Script the sandbox\'s kubelet with the rules in this file' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand completions" -l identity -d 'Go by this name in the queue of runs' -r
complete -c rollout -n "__fish_rollout_using_subcommand completions" -l color -d 'Colour the conversation on stderr, and differences' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c rollout -n "__fish_rollout_using_subcommand completions" -s q -l quiet -d 'Say nothing on stderr but warnings and errors'
complete -c rollout -n "__fish_rollout_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rollout -n "__fish_rollout_using_subcommand man" -l dir -d 'Write one page per command into this directory, which must exist' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand man" -s n -l namespace -d 'Act in this namespace' -r
complete -c rollout -n "__fish_rollout_using_subcommand man" -l context -d 'Use this context of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand man" -l cluster -d 'Use this cluster of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand man" -l user -d 'Use this user of the kubeconfig' -r
complete -c rollout -n "__fish_rollout_using_subcommand man" -l kubeconfig -d 'Read this kubeconfig' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand man" -l as -d 'Act as this user' -r
complete -c rollout -n "__fish_rollout_using_subcommand man" -l as-group -d 'Act as a member of this group; can be repeated' -r
complete -c rollout -n "__fish_rollout_using_subcommand man" -l request-timeout -d 'Give up on a single request after this time' -r
complete -c rollout -n "__fish_rollout_using_subcommand man" -l sandbox -d 'Work in a sandbox instead of a cluster' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand man" -l sandbox-rules -d 'Script the sandbox\'s kubelet with the rules in this file' -r -F
complete -c rollout -n "__fish_rollout_using_subcommand man" -l identity -d 'Go by this name in the queue of runs' -r
complete -c rollout -n "__fish_rollout_using_subcommand man" -l color -d 'Colour the conversation on stderr, and differences' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c rollout -n "__fish_rollout_using_subcommand man" -s q -l quiet -d 'Say nothing on stderr but warnings and errors'
complete -c rollout -n "__fish_rollout_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rollout -n "__fish_rollout_using_subcommand help; and not __fish_seen_subcommand_from apply plan status undo promote pause resume abort scale delete history crds completions man help" -f -a "apply" -d 'Roll out the applications in manifests, batch by batch'
complete -c rollout -n "__fish_rollout_using_subcommand help; and not __fish_seen_subcommand_from apply plan status undo promote pause resume abort scale delete history crds completions man help" -f -a "plan" -d 'Show what applying manifests would do, and do nothing'
complete -c rollout -n "__fish_rollout_using_subcommand help; and not __fish_seen_subcommand_from apply plan status undo promote pause resume abort scale delete history crds completions man help" -f -a "status" -d 'Show where components stand'
complete -c rollout -n "__fish_rollout_using_subcommand help; and not __fish_seen_subcommand_from apply plan status undo promote pause resume abort scale delete history crds completions man help" -f -a "undo" -d 'Go back to an earlier revision, in batches'
complete -c rollout -n "__fish_rollout_using_subcommand help; and not __fish_seen_subcommand_from apply plan status undo promote pause resume abort scale delete history crds completions man help" -f -a "promote" -d 'Go on past the gate, to the next batch or to the end'
complete -c rollout -n "__fish_rollout_using_subcommand help; and not __fish_seen_subcommand_from apply plan status undo promote pause resume abort scale delete history crds completions man help" -f -a "pause" -d 'Stop the run under way after the write in flight'
complete -c rollout -n "__fish_rollout_using_subcommand help; and not __fish_seen_subcommand_from apply plan status undo promote pause resume abort scale delete history crds completions man help" -f -a "resume" -d 'Go on with a run that was paused, stopped or lost its process'
complete -c rollout -n "__fish_rollout_using_subcommand help; and not __fish_seen_subcommand_from apply plan status undo promote pause resume abort scale delete history crds completions man help" -f -a "abort" -d 'Return from the run under way to where it began, at once'
complete -c rollout -n "__fish_rollout_using_subcommand help; and not __fish_seen_subcommand_from apply plan status undo promote pause resume abort scale delete history crds completions man help" -f -a "scale" -d 'Give a component another size, in batches'
complete -c rollout -n "__fish_rollout_using_subcommand help; and not __fish_seen_subcommand_from apply plan status undo promote pause resume abort scale delete history crds completions man help" -f -a "delete" -d 'Remove what an application owns, or one of its components'
complete -c rollout -n "__fish_rollout_using_subcommand help; and not __fish_seen_subcommand_from apply plan status undo promote pause resume abort scale delete history crds completions man help" -f -a "history" -d 'Show the revisions of a component and the runs that rolled them out'
complete -c rollout -n "__fish_rollout_using_subcommand help; and not __fish_seen_subcommand_from apply plan status undo promote pause resume abort scale delete history crds completions man help" -f -a "crds" -d 'Print the definitions of two optional kinds, for `kubectl get app` and `kubectl get rollout`'
complete -c rollout -n "__fish_rollout_using_subcommand help; and not __fish_seen_subcommand_from apply plan status undo promote pause resume abort scale delete history crds completions man help" -f -a "completions" -d 'Print a completion script for a shell'
complete -c rollout -n "__fish_rollout_using_subcommand help; and not __fish_seen_subcommand_from apply plan status undo promote pause resume abort scale delete history crds completions man help" -f -a "man" -d 'Print the manual page, or write a page for every command'
complete -c rollout -n "__fish_rollout_using_subcommand help; and not __fish_seen_subcommand_from apply plan status undo promote pause resume abort scale delete history crds completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
