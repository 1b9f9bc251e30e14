# Each has what it has here, or was not begun; two must fail, and each of the
# two slots of two agents may have been at work on another one then.
(.tasks[0].children | map(.state)) as $m |
.state == "failed" and
(.tasks[0].children | length == 50 and
    ([to_entries[] | (.key % 2 == 0) as $odd | .value |
        if .state == "cancelled" then .attempts <= 1 and
            .cause == "max-fails: more than 1 failure ended the run"
        elif $odd then .state == "failed" and .attempts == 1 and
            .cause == "exit code 1"
        else .state == "succeeded" and .attempts == 1 end] | all)) and
([$m[] | select(. == "failed")] | length >= 2 and length <= 5) and
([$m[] | select(. == "cancelled")] | length > 0) and
(.tasks[1] | .state == "cancelled" and .attempts == 0 and
    .cause == "max-fails: more than 1 failure ended the run")
