
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'rollout' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'rollout'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'rollout' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use this context of the kubeconfig')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Use this cluster of the kubeconfig')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Use this user of the kubeconfig')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Read this kubeconfig')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Act as this user')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Act as a member of this group; can be repeated')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single request after this time')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Work in a sandbox instead of a cluster')
            [CompletionResult]::new('--sandbox-rules', '--sandbox-rules', [CompletionResultType]::ParameterName, 'Script the sandbox''s kubelet with the rules in this file')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Go by this name in the queue of runs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the conversation on stderr, and differences')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('apply', 'apply', [CompletionResultType]::ParameterValue, 'Roll out the applications in manifests, batch by batch')
            [CompletionResult]::new('plan', 'plan', [CompletionResultType]::ParameterValue, 'Show what applying manifests would do, and do nothing')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show where components stand')
            [CompletionResult]::new('undo', 'undo', [CompletionResultType]::ParameterValue, 'Go back to an earlier revision, in batches')
            [CompletionResult]::new('promote', 'promote', [CompletionResultType]::ParameterValue, 'Go on past the gate, to the next batch or to the end')
            [CompletionResult]::new('pause', 'pause', [CompletionResultType]::ParameterValue, 'Stop the run under way after the write in flight')
            [CompletionResult]::new('resume', 'resume', [CompletionResultType]::ParameterValue, 'Go on with a run that was paused, stopped or lost its process')
            [CompletionResult]::new('abort', 'abort', [CompletionResultType]::ParameterValue, 'Return from the run under way to where it began, at once')
            [CompletionResult]::new('scale', 'scale', [CompletionResultType]::ParameterValue, 'Give a component another size, in batches')
            [CompletionResult]::new('delete', 'delete', [CompletionResultType]::ParameterValue, 'Remove what an application owns, or one of its components')
            [CompletionResult]::new('history', 'history', [CompletionResultType]::ParameterValue, 'Show the revisions of a component and the runs that rolled them out')
            [CompletionResult]::new('crds', 'crds', [CompletionResultType]::ParameterValue, 'Print the definitions of two optional kinds, for `kubectl get app` and `kubectl get rollout`')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page, or write a page for every command')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rollout;apply' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Read this manifest, as kubectl has it; can be repeated')
            [CompletionResult]::new('--filename', '--filename', [CompletionResultType]::ParameterName, 'Read this manifest, as kubectl has it; can be repeated')
            [CompletionResult]::new('--batches', '--batches', [CompletionResultType]::ParameterName, 'Cut the run into these batches')
            [CompletionResult]::new('--partition', '--partition', [CompletionResultType]::ParameterName, 'Stop after this batch, counted from 0')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on the whole run after this time')
            [CompletionResult]::new('--batch-timeout', '--batch-timeout', [CompletionResultType]::ParameterName, 'Give up on a batch after this time')
            [CompletionResult]::new('--lock-timeout', '--lock-timeout', [CompletionResultType]::ParameterName, 'Give up on waiting for another run of the application after this time')
            [CompletionResult]::new('--on-failure', '--on-failure', [CompletionResultType]::ParameterName, 'Do this with a component whose pods do not become ready')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Say what would be done and do nothing')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the result in this form')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the result in this form')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use this context of the kubeconfig')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Use this cluster of the kubeconfig')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Use this user of the kubeconfig')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Read this kubeconfig')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Act as this user')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Act as a member of this group; can be repeated')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single request after this time')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Work in a sandbox instead of a cluster')
            [CompletionResult]::new('--sandbox-rules', '--sandbox-rules', [CompletionResultType]::ParameterName, 'Script the sandbox''s kubelet with the rules in this file')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Go by this name in the queue of runs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the conversation on stderr, and differences')
            [CompletionResult]::new('--fail-fast', '--fail-fast', [CompletionResultType]::ParameterName, 'Give up on a batch as soon as there is a sign that waiting will not help')
            [CompletionResult]::new('--reuse-revision', '--reuse-revision', [CompletionResultType]::ParameterName, 'Accept other content under an `externalRevision` that exists')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rollout;plan' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Read this manifest, as kubectl has it; can be repeated')
            [CompletionResult]::new('--filename', '--filename', [CompletionResultType]::ParameterName, 'Read this manifest, as kubectl has it; can be repeated')
            [CompletionResult]::new('--batches', '--batches', [CompletionResultType]::ParameterName, 'Cut the run into these batches')
            [CompletionResult]::new('--partition', '--partition', [CompletionResultType]::ParameterName, 'Stop after this batch, counted from 0')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use this context of the kubeconfig')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Use this cluster of the kubeconfig')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Use this user of the kubeconfig')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Read this kubeconfig')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Act as this user')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Act as a member of this group; can be repeated')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single request after this time')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Work in a sandbox instead of a cluster')
            [CompletionResult]::new('--sandbox-rules', '--sandbox-rules', [CompletionResultType]::ParameterName, 'Script the sandbox''s kubelet with the rules in this file')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Go by this name in the queue of runs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the conversation on stderr, and differences')
            [CompletionResult]::new('--reuse-revision', '--reuse-revision', [CompletionResultType]::ParameterName, 'Accept other content under an `externalRevision` that exists')
            [CompletionResult]::new('--detailed-exitcode', '--detailed-exitcode', [CompletionResultType]::ParameterName, 'Exit with 8 when there are changes to make, with 0 when there are none')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rollout;status' {
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Follow until all that is shown is so far, then exit with 0; with 3 where a run fails before')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on `--until` after this time, with exit code 3')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print in this form')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print in this form')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use this context of the kubeconfig')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Use this cluster of the kubeconfig')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Use this user of the kubeconfig')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Read this kubeconfig')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Act as this user')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Act as a member of this group; can be repeated')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single request after this time')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Work in a sandbox instead of a cluster')
            [CompletionResult]::new('--sandbox-rules', '--sandbox-rules', [CompletionResultType]::ParameterName, 'Script the sandbox''s kubelet with the rules in this file')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Go by this name in the queue of runs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the conversation on stderr, and differences')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Print again at every change, until interrupted')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Print again at every change, until interrupted')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rollout;undo' {
            [CompletionResult]::new('--to-revision', '--to-revision', [CompletionResultType]::ParameterName, 'Go to this revision: its name, the part after the component''s name, or its number')
            [CompletionResult]::new('--batches', '--batches', [CompletionResultType]::ParameterName, 'Cut the run into these batches')
            [CompletionResult]::new('--partition', '--partition', [CompletionResultType]::ParameterName, 'Stop after this batch, counted from 0')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on the whole run after this time')
            [CompletionResult]::new('--batch-timeout', '--batch-timeout', [CompletionResultType]::ParameterName, 'Give up on a batch after this time')
            [CompletionResult]::new('--lock-timeout', '--lock-timeout', [CompletionResultType]::ParameterName, 'Give up on waiting for another run of the application after this time')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the result in this form')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the result in this form')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use this context of the kubeconfig')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Use this cluster of the kubeconfig')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Use this user of the kubeconfig')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Read this kubeconfig')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Act as this user')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Act as a member of this group; can be repeated')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single request after this time')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Work in a sandbox instead of a cluster')
            [CompletionResult]::new('--sandbox-rules', '--sandbox-rules', [CompletionResultType]::ParameterName, 'Script the sandbox''s kubelet with the rules in this file')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Go by this name in the queue of runs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the conversation on stderr, and differences')
            [CompletionResult]::new('--now', '--now', [CompletionResultType]::ParameterName, 'Go back in one batch, and take over from a run that is under way')
            [CompletionResult]::new('--fail-fast', '--fail-fast', [CompletionResultType]::ParameterName, 'Give up on a batch as soon as there is a sign that waiting will not help')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rollout;promote' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on the whole run after this time')
            [CompletionResult]::new('--batch-timeout', '--batch-timeout', [CompletionResultType]::ParameterName, 'Give up on a batch after this time')
            [CompletionResult]::new('--lock-timeout', '--lock-timeout', [CompletionResultType]::ParameterName, 'Give up on waiting for another run of the application after this time')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the result in this form')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the result in this form')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use this context of the kubeconfig')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Use this cluster of the kubeconfig')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Use this user of the kubeconfig')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Read this kubeconfig')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Act as this user')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Act as a member of this group; can be repeated')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single request after this time')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Work in a sandbox instead of a cluster')
            [CompletionResult]::new('--sandbox-rules', '--sandbox-rules', [CompletionResultType]::ParameterName, 'Script the sandbox''s kubelet with the rules in this file')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Go by this name in the queue of runs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the conversation on stderr, and differences')
            [CompletionResult]::new('--full', '--full', [CompletionResultType]::ParameterName, 'Go on to the end, without another gate')
            [CompletionResult]::new('--fail-fast', '--fail-fast', [CompletionResultType]::ParameterName, 'Give up on a batch as soon as there is a sign that waiting will not help')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rollout;pause' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print in this form')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print in this form')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use this context of the kubeconfig')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Use this cluster of the kubeconfig')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Use this user of the kubeconfig')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Read this kubeconfig')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Act as this user')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Act as a member of this group; can be repeated')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single request after this time')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Work in a sandbox instead of a cluster')
            [CompletionResult]::new('--sandbox-rules', '--sandbox-rules', [CompletionResultType]::ParameterName, 'Script the sandbox''s kubelet with the rules in this file')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Go by this name in the queue of runs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the conversation on stderr, and differences')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rollout;resume' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on the whole run after this time')
            [CompletionResult]::new('--batch-timeout', '--batch-timeout', [CompletionResultType]::ParameterName, 'Give up on a batch after this time')
            [CompletionResult]::new('--lock-timeout', '--lock-timeout', [CompletionResultType]::ParameterName, 'Give up on waiting for another run of the application after this time')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the result in this form')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the result in this form')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use this context of the kubeconfig')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Use this cluster of the kubeconfig')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Use this user of the kubeconfig')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Read this kubeconfig')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Act as this user')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Act as a member of this group; can be repeated')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single request after this time')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Work in a sandbox instead of a cluster')
            [CompletionResult]::new('--sandbox-rules', '--sandbox-rules', [CompletionResultType]::ParameterName, 'Script the sandbox''s kubelet with the rules in this file')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Go by this name in the queue of runs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the conversation on stderr, and differences')
            [CompletionResult]::new('--fail-fast', '--fail-fast', [CompletionResultType]::ParameterName, 'Give up on a batch as soon as there is a sign that waiting will not help')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rollout;abort' {
            [CompletionResult]::new('--batches', '--batches', [CompletionResultType]::ParameterName, 'Cut the run into these batches')
            [CompletionResult]::new('--partition', '--partition', [CompletionResultType]::ParameterName, 'Stop after this batch, counted from 0')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on the whole run after this time')
            [CompletionResult]::new('--batch-timeout', '--batch-timeout', [CompletionResultType]::ParameterName, 'Give up on a batch after this time')
            [CompletionResult]::new('--lock-timeout', '--lock-timeout', [CompletionResultType]::ParameterName, 'Give up on waiting for another run of the application after this time')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the result in this form')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the result in this form')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use this context of the kubeconfig')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Use this cluster of the kubeconfig')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Use this user of the kubeconfig')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Read this kubeconfig')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Act as this user')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Act as a member of this group; can be repeated')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single request after this time')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Work in a sandbox instead of a cluster')
            [CompletionResult]::new('--sandbox-rules', '--sandbox-rules', [CompletionResultType]::ParameterName, 'Script the sandbox''s kubelet with the rules in this file')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Go by this name in the queue of runs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the conversation on stderr, and differences')
            [CompletionResult]::new('--fail-fast', '--fail-fast', [CompletionResultType]::ParameterName, 'Give up on a batch as soon as there is a sign that waiting will not help')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rollout;scale' {
            [CompletionResult]::new('--replicas', '--replicas', [CompletionResultType]::ParameterName, 'Replicas wanted; 0 or more')
            [CompletionResult]::new('--batches', '--batches', [CompletionResultType]::ParameterName, 'Cut the run into these batches')
            [CompletionResult]::new('--partition', '--partition', [CompletionResultType]::ParameterName, 'Stop after this batch, counted from 0')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on the whole run after this time')
            [CompletionResult]::new('--batch-timeout', '--batch-timeout', [CompletionResultType]::ParameterName, 'Give up on a batch after this time')
            [CompletionResult]::new('--lock-timeout', '--lock-timeout', [CompletionResultType]::ParameterName, 'Give up on waiting for another run of the application after this time')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the result in this form')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the result in this form')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use this context of the kubeconfig')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Use this cluster of the kubeconfig')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Use this user of the kubeconfig')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Read this kubeconfig')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Act as this user')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Act as a member of this group; can be repeated')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single request after this time')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Work in a sandbox instead of a cluster')
            [CompletionResult]::new('--sandbox-rules', '--sandbox-rules', [CompletionResultType]::ParameterName, 'Script the sandbox''s kubelet with the rules in this file')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Go by this name in the queue of runs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the conversation on stderr, and differences')
            [CompletionResult]::new('--fail-fast', '--fail-fast', [CompletionResultType]::ParameterName, 'Give up on a batch as soon as there is a sign that waiting will not help')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rollout;delete' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Remove the applications of this manifest, as kubectl has it; can be repeated')
            [CompletionResult]::new('--filename', '--filename', [CompletionResultType]::ParameterName, 'Remove the applications of this manifest, as kubectl has it; can be repeated')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Say what would be removed and remove nothing')
            [CompletionResult]::new('--lock-timeout', '--lock-timeout', [CompletionResultType]::ParameterName, 'Give up on waiting for another run of the application after this time')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use this context of the kubeconfig')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Use this cluster of the kubeconfig')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Use this user of the kubeconfig')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Read this kubeconfig')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Act as this user')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Act as a member of this group; can be repeated')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single request after this time')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Work in a sandbox instead of a cluster')
            [CompletionResult]::new('--sandbox-rules', '--sandbox-rules', [CompletionResultType]::ParameterName, 'Script the sandbox''s kubelet with the rules in this file')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Go by this name in the queue of runs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the conversation on stderr, and differences')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rollout;history' {
            [CompletionResult]::new('--revision', '--revision', [CompletionResultType]::ParameterName, 'Show what is in this revision: its name, the part after the component''s name, or its number')
            [CompletionResult]::new('--diff', '--diff', [CompletionResultType]::ParameterName, 'Show the difference between the workloads of two revisions')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print in this form')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print in this form')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use this context of the kubeconfig')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Use this cluster of the kubeconfig')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Use this user of the kubeconfig')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Read this kubeconfig')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Act as this user')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Act as a member of this group; can be repeated')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single request after this time')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Work in a sandbox instead of a cluster')
            [CompletionResult]::new('--sandbox-rules', '--sandbox-rules', [CompletionResultType]::ParameterName, 'Script the sandbox''s kubelet with the rules in this file')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Go by this name in the queue of runs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the conversation on stderr, and differences')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rollout;crds' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use this context of the kubeconfig')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Use this cluster of the kubeconfig')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Use this user of the kubeconfig')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Read this kubeconfig')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Act as this user')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Act as a member of this group; can be repeated')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single request after this time')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Work in a sandbox instead of a cluster')
            [CompletionResult]::new('--sandbox-rules', '--sandbox-rules', [CompletionResultType]::ParameterName, 'Script the sandbox''s kubelet with the rules in this file')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Go by this name in the queue of runs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the conversation on stderr, and differences')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rollout;completions' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use this context of the kubeconfig')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Use this cluster of the kubeconfig')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Use this user of the kubeconfig')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Read this kubeconfig')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Act as this user')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Act as a member of this group; can be repeated')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single request after this time')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Work in a sandbox instead of a cluster')
            [CompletionResult]::new('--sandbox-rules', '--sandbox-rules', [CompletionResultType]::ParameterName, 'Script the sandbox''s kubelet with the rules in this file')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Go by this name in the queue of runs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the conversation on stderr, and differences')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rollout;man' {
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'Write one page per command into this directory, which must exist')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Act in this namespace')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use this context of the kubeconfig')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Use this cluster of the kubeconfig')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Use this user of the kubeconfig')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Read this kubeconfig')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Act as this user')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Act as a member of this group; can be repeated')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single request after this time')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Work in a sandbox instead of a cluster')
            [CompletionResult]::new('--sandbox-rules', '--sandbox-rules', [CompletionResultType]::ParameterName, 'Script the sandbox''s kubelet with the rules in this file')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Go by this name in the queue of runs')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the conversation on stderr, and differences')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing on stderr but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rollout;help' {
            [CompletionResult]::new('apply', 'apply', [CompletionResultType]::ParameterValue, 'Roll out the applications in manifests, batch by batch')
            [CompletionResult]::new('plan', 'plan', [CompletionResultType]::ParameterValue, 'Show what applying manifests would do, and do nothing')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show where components stand')
            [CompletionResult]::new('undo', 'undo', [CompletionResultType]::ParameterValue, 'Go back to an earlier revision, in batches')
            [CompletionResult]::new('promote', 'promote', [CompletionResultType]::ParameterValue, 'Go on past the gate, to the next batch or to the end')
            [CompletionResult]::new('pause', 'pause', [CompletionResultType]::ParameterValue, 'Stop the run under way after the write in flight')
            [CompletionResult]::new('resume', 'resume', [CompletionResultType]::ParameterValue, 'Go on with a run that was paused, stopped or lost its process')
            [CompletionResult]::new('abort', 'abort', [CompletionResultType]::ParameterValue, 'Return from the run under way to where it began, at once')
            [CompletionResult]::new('scale', 'scale', [CompletionResultType]::ParameterValue, 'Give a component another size, in batches')
            [CompletionResult]::new('delete', 'delete', [CompletionResultType]::ParameterValue, 'Remove what an application owns, or one of its components')
            [CompletionResult]::new('history', 'history', [CompletionResultType]::ParameterValue, 'Show the revisions of a component and the runs that rolled them out')
            [CompletionResult]::new('crds', 'crds', [CompletionResultType]::ParameterValue, 'Print the definitions of two optional kinds, for `kubectl get app` and `kubectl get rollout`')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page, or write a page for every command')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rollout;help;apply' {
            break
        }
        'rollout;help;plan' {
            break
        }
        'rollout;help;status' {
            break
        }
        'rollout;help;undo' {
            break
        }
        'rollout;help;promote' {
            break
        }
        'rollout;help;pause' {
            break
        }
        'rollout;help;resume' {
            break
        }
        'rollout;help;abort' {
            break
        }
        'rollout;help;scale' {
            break
        }
        'rollout;help;delete' {
            break
        }
        'rollout;help;history' {
            break
        }
        'rollout;help;crds' {
            break
        }
        'rollout;help;completions' {
            break
        }
        'rollout;help;man' {
            break
        }
        'rollout;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
