
use builtin;
use str;

set edit:completion:arg-completer[rollout] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'rollout'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'rollout'= {
            cand -n 'Act in this namespace'
            cand --namespace 'Act in this namespace'
            cand --context 'Use this context of the kubeconfig'
            cand --cluster 'Use this cluster of the kubeconfig'
            cand --user 'Use this user of the kubeconfig'
            cand --kubeconfig 'Read this kubeconfig'
            cand --as 'Act as this user'
            cand --as-group 'Act as a member of this group; can be repeated'
            cand --request-timeout 'Give up on a single request after this time'
            cand --sandbox 'Work in a sandbox instead of a cluster'
            cand --sandbox-rules 'Script the sandbox''s kubelet with the rules in this file'
            cand --identity 'Go by this name in the queue of runs'
            cand --color 'Colour the conversation on stderr'
            cand -q 'Say nothing on stderr but warnings and errors'
            cand --quiet 'Say nothing on stderr but warnings and errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand apply 'Roll out the applications in manifests, batch by batch'
            cand plan 'Show what applying manifests would do, and do nothing'
            cand status 'Show where components stand'
            cand undo 'Go back to an earlier revision, in batches'
            cand history 'Show the revisions of a component and the runs that rolled them out'
            cand crds 'Print the definitions of two optional kinds, for `kubectl get app` and `kubectl get rollout`'
            cand completions 'Print a completion script for a shell'
            cand man 'Print the manual page, or write a page for every command'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rollout;apply'= {
            cand -f 'Read this manifest, as kubectl has it; can be repeated'
            cand --filename 'Read this manifest, as kubectl has it; can be repeated'
            cand --batches 'Cut the run into these batches'
            cand --partition 'Stop after this batch, counted from 0'
            cand --timeout 'Give up on the whole run after this time'
            cand --batch-timeout 'Give up on a batch after this time'
            cand --lock-timeout 'Give up on waiting for another run of the application after this time'
            cand --dry-run 'Say what would be done and do nothing'
            cand -o 'Print the result in this form'
            cand --output 'Print the result in this form'
            cand -n 'Act in this namespace'
            cand --namespace 'Act in this namespace'
            cand --context 'Use this context of the kubeconfig'
            cand --cluster 'Use this cluster of the kubeconfig'
            cand --user 'Use this user of the kubeconfig'
            cand --kubeconfig 'Read this kubeconfig'
            cand --as 'Act as this user'
            cand --as-group 'Act as a member of this group; can be repeated'
            cand --request-timeout 'Give up on a single request after this time'
            cand --sandbox 'Work in a sandbox instead of a cluster'
            cand --sandbox-rules 'Script the sandbox''s kubelet with the rules in this file'
            cand --identity 'Go by this name in the queue of runs'
            cand --color 'Colour the conversation on stderr'
            cand --reuse-revision 'Accept other content under an `externalRevision` that exists'
            cand -q 'Say nothing on stderr but warnings and errors'
            cand --quiet 'Say nothing on stderr but warnings and errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rollout;plan'= {
            cand -f 'Read this manifest, as kubectl has it; can be repeated'
            cand --filename 'Read this manifest, as kubectl has it; can be repeated'
            cand --batches 'Cut the run into these batches'
            cand --partition 'Stop after this batch, counted from 0'
            cand -n 'Act in this namespace'
            cand --namespace 'Act in this namespace'
            cand --context 'Use this context of the kubeconfig'
            cand --cluster 'Use this cluster of the kubeconfig'
            cand --user 'Use this user of the kubeconfig'
            cand --kubeconfig 'Read this kubeconfig'
            cand --as 'Act as this user'
            cand --as-group 'Act as a member of this group; can be repeated'
            cand --request-timeout 'Give up on a single request after this time'
            cand --sandbox 'Work in a sandbox instead of a cluster'
            cand --sandbox-rules 'Script the sandbox''s kubelet with the rules in this file'
            cand --identity 'Go by this name in the queue of runs'
            cand --color 'Colour the conversation on stderr'
            cand --reuse-revision 'Accept other content under an `externalRevision` that exists'
            cand --detailed-exitcode 'Exit with 8 when there are changes to make, with 0 when there are none'
            cand -q 'Say nothing on stderr but warnings and errors'
            cand --quiet 'Say nothing on stderr but warnings and errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rollout;status'= {
            cand -o 'Print in this form'
            cand --output 'Print in this form'
            cand -n 'Act in this namespace'
            cand --namespace 'Act in this namespace'
            cand --context 'Use this context of the kubeconfig'
            cand --cluster 'Use this cluster of the kubeconfig'
            cand --user 'Use this user of the kubeconfig'
            cand --kubeconfig 'Read this kubeconfig'
            cand --as 'Act as this user'
            cand --as-group 'Act as a member of this group; can be repeated'
            cand --request-timeout 'Give up on a single request after this time'
            cand --sandbox 'Work in a sandbox instead of a cluster'
            cand --sandbox-rules 'Script the sandbox''s kubelet with the rules in this file'
            cand --identity 'Go by this name in the queue of runs'
            cand --color 'Colour the conversation on stderr'
            cand -w 'Print again at every change, until interrupted'
            cand --watch 'Print again at every change, until interrupted'
            cand -q 'Say nothing on stderr but warnings and errors'
            cand --quiet 'Say nothing on stderr but warnings and errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rollout;undo'= {
            cand --to-revision 'Go to this revision: its name, the part after the component''s name, or its number'
            cand --batches 'Cut the run into these batches'
            cand --partition 'Stop after this batch, counted from 0'
            cand --timeout 'Give up on the whole run after this time'
            cand --batch-timeout 'Give up on a batch after this time'
            cand --lock-timeout 'Give up on waiting for another run of the application after this time'
            cand -o 'Print the result in this form'
            cand --output 'Print the result in this form'
            cand -n 'Act in this namespace'
            cand --namespace 'Act in this namespace'
            cand --context 'Use this context of the kubeconfig'
            cand --cluster 'Use this cluster of the kubeconfig'
            cand --user 'Use this user of the kubeconfig'
            cand --kubeconfig 'Read this kubeconfig'
            cand --as 'Act as this user'
            cand --as-group 'Act as a member of this group; can be repeated'
            cand --request-timeout 'Give up on a single request after this time'
            cand --sandbox 'Work in a sandbox instead of a cluster'
            cand --sandbox-rules 'Script the sandbox''s kubelet with the rules in this file'
            cand --identity 'Go by this name in the queue of runs'
            cand --color 'Colour the conversation on stderr'
            cand -q 'Say nothing on stderr but warnings and errors'
            cand --quiet 'Say nothing on stderr but warnings and errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rollout;history'= {
            cand -o 'Print in this form'
            cand --output 'Print in this form'
            cand -n 'Act in this namespace'
            cand --namespace 'Act in this namespace'
            cand --context 'Use this context of the kubeconfig'
            cand --cluster 'Use this cluster of the kubeconfig'
            cand --user 'Use this user of the kubeconfig'
            cand --kubeconfig 'Read this kubeconfig'
            cand --as 'Act as this user'
            cand --as-group 'Act as a member of this group; can be repeated'
            cand --request-timeout 'Give up on a single request after this time'
            cand --sandbox 'Work in a sandbox instead of a cluster'
            cand --sandbox-rules 'Script the sandbox''s kubelet with the rules in this file'
            cand --identity 'Go by this name in the queue of runs'
            cand --color 'Colour the conversation on stderr'
            cand -q 'Say nothing on stderr but warnings and errors'
            cand --quiet 'Say nothing on stderr but warnings and errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rollout;crds'= {
            cand -n 'Act in this namespace'
            cand --namespace 'Act in this namespace'
            cand --context 'Use this context of the kubeconfig'
            cand --cluster 'Use this cluster of the kubeconfig'
            cand --user 'Use this user of the kubeconfig'
            cand --kubeconfig 'Read this kubeconfig'
            cand --as 'Act as this user'
            cand --as-group 'Act as a member of this group; can be repeated'
            cand --request-timeout 'Give up on a single request after this time'
            cand --sandbox 'Work in a sandbox instead of a cluster'
            cand --sandbox-rules 'Script the sandbox''s kubelet with the rules in this file'
            cand --identity 'Go by this name in the queue of runs'
            cand --color 'Colour the conversation on stderr'
            cand -q 'Say nothing on stderr but warnings and errors'
            cand --quiet 'Say nothing on stderr but warnings and errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rollout;completions'= {
            cand -n 'Act in this namespace'
            cand --namespace 'Act in this namespace'
            cand --context 'Use this context of the kubeconfig'
            cand --cluster 'Use this cluster of the kubeconfig'
            cand --user 'Use this user of the kubeconfig'
            cand --kubeconfig 'Read this kubeconfig'
            cand --as 'Act as this user'
            cand --as-group 'Act as a member of this group; can be repeated'
            cand --request-timeout 'Give up on a single request after this time'
            cand --sandbox 'Work in a sandbox instead of a cluster'
            cand --sandbox-rules 'Script the sandbox''s kubelet with the rules in this file'
            cand --identity 'Go by this name in the queue of runs'
            cand --color 'Colour the conversation on stderr'
            cand -q 'Say nothing on stderr but warnings and errors'
            cand --quiet 'Say nothing on stderr but warnings and errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rollout;man'= {
            cand --dir 'Write one page per command into this directory, which must exist'
            cand -n 'Act in this namespace'
            cand --namespace 'Act in this namespace'
            cand --context 'Use this context of the kubeconfig'
            cand --cluster 'Use this cluster of the kubeconfig'
            cand --user 'Use this user of the kubeconfig'
            cand --kubeconfig 'Read this kubeconfig'
            cand --as 'Act as this user'
            cand --as-group 'Act as a member of this group; can be repeated'
            cand --request-timeout 'Give up on a single request after this time'
            cand --sandbox 'Work in a sandbox instead of a cluster'
            cand --sandbox-rules 'Script the sandbox''s kubelet with the rules in this file'
            cand --identity 'Go by this name in the queue of runs'
            cand --color 'Colour the conversation on stderr'
            cand -q 'Say nothing on stderr but warnings and errors'
            cand --quiet 'Say nothing on stderr but warnings and errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rollout;help'= {
            cand apply 'Roll out the applications in manifests, batch by batch'
            cand plan 'Show what applying manifests would do, and do nothing'
            cand status 'Show where components stand'
            cand undo 'Go back to an earlier revision, in batches'
            cand history 'Show the revisions of a component and the runs that rolled them out'
            cand crds 'Print the definitions of two optional kinds, for `kubectl get app` and `kubectl get rollout`'
            cand completions 'Print a completion script for a shell'
            cand man 'Print the manual page, or write a page for every command'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rollout;help;apply'= {
        }
        &'rollout;help;plan'= {
        }
        &'rollout;help;status'= {
        }
        &'rollout;help;undo'= {
        }
        &'rollout;help;history'= {
        }
        &'rollout;help;crds'= {
        }
        &'rollout;help;completions'= {
        }
        &'rollout;help;man'= {
        }
        &'rollout;help;help'= {
        }
    ]
    $completions[$command]
}
