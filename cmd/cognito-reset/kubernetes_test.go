package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"

	"github.com/urfave/cli/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// manifestsOf decodes the documents of a file, each of which must be whole: a
// member that Kubernetes does not know is an error.
func manifestsOf(t *testing.T, name string) (jobs []batchv1.JobSpec) {
	t.Helper()
	text, err := os.ReadFile("../../examples/kubernetes/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var kind struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
			t.Fatal(err)
		}
		switch kind.APIVersion + " " + kind.Kind {
		case "v1 ServiceAccount":
			err = yaml.UnmarshalStrict([]byte(document), new(corev1.ServiceAccount))
		case "batch/v1 Job":
			var job batchv1.Job
			err = yaml.UnmarshalStrict([]byte(document), &job)
			jobs = append(jobs, job.Spec)
		case "batch/v1 CronJob":
			var job batchv1.CronJob
			err = yaml.UnmarshalStrict([]byte(document), &job)
			jobs = append(jobs, job.Spec.JobTemplate.Spec)
			if _, zone := time.LoadLocation(*job.Spec.TimeZone); zone != nil || job.Spec.ConcurrencyPolicy != batchv1.ForbidConcurrent || job.Spec.StartingDeadlineSeconds == nil {
				t.Errorf("%s: it may start twice, or at a wrong time", name)
			}
		default:
			err = fmt.Errorf("no example is a %s", kind)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return jobs
}

// graceOf is the time that calls have to finish after a signal, unless somebody
// says otherwise.
func graceOf(t *testing.T) time.Duration {
	t.Helper()
	all := flags.Guards()
	i := slices.IndexFunc(all, func(f cli.Flag) bool { return f.Names()[0] == "grace" })
	return all[i].(*cli.DurationFlag).Value
}

// Every Job is what Kubernetes takes, treats each exit code by the contract, and
// gives the tool no right that it does not need.
func TestJobsOfKubernetes(t *testing.T) {
	for _, name := range []string{"job.yaml", "cronjob.yaml"} {
		for _, job := range manifestsOf(t, name) {
			pod := job.Template.Spec
			container := pod.Containers[0]
			for code, want := range map[int32]batchv1.PodFailurePolicyAction{
				exit.Failed: batchv1.PodFailurePolicyActionCount, exit.Usage: batchv1.PodFailurePolicyActionFailJob,
				exit.SomeFailed: batchv1.PodFailurePolicyActionFailIndex, exit.Stopped: batchv1.PodFailurePolicyActionCount,
				exit.Interrupted + 2: batchv1.PodFailurePolicyActionIgnore, exit.Interrupted + 15: batchv1.PodFailurePolicyActionIgnore,
			} {
				if got := actionOn(job.PodFailurePolicy, container.Name, code); got != want {
					t.Errorf("%s: exit code %d leads to %q, not %q", name, code, got, want)
				}
			}
			if first := job.PodFailurePolicy.Rules[0]; first.Action != batchv1.PodFailurePolicyActionIgnore || len(first.OnPodConditions) != 1 || first.OnPodConditions[0].Type != corev1.DisruptionTarget || first.OnPodConditions[0].Status != corev1.ConditionTrue {
				t.Errorf("%s: a drained node counts as a failure", name)
			}
			shards := fmt.Sprint("--shards=", *job.Completions)
			if *job.CompletionMode != batchv1.IndexedCompletion || *job.Completions != *job.Parallelism || *job.BackoffLimitPerIndex < 1 ||
				!slices.Contains(container.Args, "--shard=auto") || !slices.Contains(container.Args, shards) {
				t.Errorf("%s: a pod that is started again does not go on with its own shard", name)
			}
			if *job.PodReplacementPolicy != batchv1.Failed || pod.RestartPolicy != corev1.RestartPolicyNever { // as a failure policy demands
				t.Errorf("%s: two pods may work on one shard", name)
			}
			for _, guard := range []string{"--canary", "--deadline", "--until", "--max-resets"} {
				if slices.ContainsFunc(container.Args, func(arg string) bool { return strings.HasPrefix(arg, guard) }) {
					t.Errorf("%s: a retry would go past %s", name, guard)
				}
			}
			if grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; grace < graceOf(t)+10*time.Second {
				t.Errorf("%s: %v are too short for calls to finish", name, grace)
			}
			confined(t, name, pod)
		}
	}
}

// actionOn is what becomes of a Job whose container ends with a code.
func actionOn(policy *batchv1.PodFailurePolicy, container string, code int32) batchv1.PodFailurePolicyAction {
	for _, rule := range policy.Rules {
		if on := rule.OnExitCodes; on != nil && *on.ContainerName == container && on.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn && slices.Contains(on.Values, code) {
			return rule.Action
		}
	}
	return ""
}

// confined checks that a pod has a user of its own, and nothing to write to but
// its folder for temporary files.
func confined(t *testing.T, name string, pod corev1.PodSpec) {
	t.Helper()
	container := pod.Containers[0]
	all, own := pod.SecurityContext, container.SecurityContext
	if !*all.RunAsNonRoot || *all.RunAsUser == 0 || all.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault ||
		*own.AllowPrivilegeEscalation || !*own.ReadOnlyRootFilesystem || !slices.Equal(own.Capabilities.Drop, []corev1.Capability{"ALL"}) || own.Capabilities.Add != nil {
		t.Errorf("%s: the pod may do more than it needs", name)
	}
	if container.Resources.Limits.Memory().IsZero() || container.Resources.Requests.Cpu().IsZero() {
		t.Errorf("%s: the pod says not what it takes", name)
	}
	for _, e := range container.Env {
		if e.Name == "TMPDIR" && len(container.VolumeMounts) == 1 && container.VolumeMounts[0].MountPath == e.Value && pod.Volumes[0].EmptyDir != nil {
			return
		}
	}
	t.Errorf("%s: there is no folder for temporary files", name)
}

// The shards of a Job reset each user once, and a pod that is started again goes
// on with what is there: here, with nothing.
func TestJobsOfKubernetesRun(t *testing.T) {
	t.Parallel()
	for name, service := range map[string]bool{"job.yaml": true, "cronjob.yaml": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t, policyOf(t, "reset", "record"))
			job := manifestsOf(t, name)[0]
			for again := range 2 {
				for shard := range *job.Completions {
					command, env := startedBy(t, job, fmt.Sprint(shard))
					said, code := c.run(command, env)
					if code != exit.Done && code != exit.SomeFailed || again == 1 && !strings.Contains(said, "This run is finished") {
						t.Errorf("shard %d ended with %d:\n%s", shard, code, said)
					}
				}
			}
			c.checkReset(service)
		})
	}
}

var variable = regexp.MustCompile(`\$\((\w+)\)`)

// startedBy is the command of a pod, and what Kubernetes adds to its environment.
func startedBy(t *testing.T, job batchv1.JobSpec, index string) (command, env []string) {
	t.Helper()
	container := job.Template.Spec.Containers[0]
	values := map[string]string{"JOB_COMPLETION_INDEX": index}
	for _, e := range container.Env {
		values[e.Name] = e.Value
		if e.ValueFrom != nil {
			if e.ValueFrom.FieldRef.FieldPath != "metadata.labels['"+batchv1.JobNameLabel+"']" {
				t.Fatalf("%s is not the name of the Job", e.ValueFrom.FieldRef.FieldPath)
			}
			values[e.Name] = "rotation-29403000"
		}
	}
	for name, value := range values {
		env = append(env, name+"="+value)
	}
	for _, arg := range slices.Concat(container.Command, container.Args) {
		command = append(command, variable.ReplaceAllStringFunc(arg, func(v string) string {
			value, ok := values[strings.Trim(v, "$()")]
			if !ok {
				t.Fatalf("%s: nobody says what %s is", arg, v)
			}
			return value
		}))
	}
	return command, env
}

// A server of Kubernetes 1.32, the oldest that is meant, takes the manifests, and
// refuses one without a field that it demands.
func TestKubernetes132TakesTheManifests(t *testing.T) {
	t.Parallel()
	const reader = "testdata/kubernetes132"
	if out, err := exec.Command("go", "mod", "download", "-C", reader).CombinedOutput(); err != nil {
		t.Skipf("the types of 1.32 cannot be had here, so the manifests are read as the current version alone: %s", out)
	}
	program := filepath.Join(t.TempDir(), "kubernetes132")
	if out, err := exec.Command("go", "build", "-C", reader, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{"job.yaml", "cronjob.yaml"} {
		text, err := os.ReadFile("../../examples/kubernetes/" + name)
		if err != nil {
			t.Fatal(err)
		}
		status := regexp.MustCompile(`(?m)^ *status: "True".*\n`)
		for damaged, want := range map[string]string{
			string(text): "",
			status.ReplaceAllString(string(text), ""):                       "onPodConditions[0].status: required value",
			strings.Replace(string(text), "parallelism:", "paralelism:", 1): "paralelism",
		} {
			manifest := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(manifest, []byte(damaged), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(program, manifest).CombinedOutput()
			if (err == nil) != (want == "") || !strings.Contains(string(out), want) {
				t.Errorf("%s, which should say %q: %v: %s", name, want, err, out)
			}
		}
	}
}

// kubectl takes the manifests. What it asks a cluster for its kinds is answered
// here, where there is nothing else.
func TestKubectlTakesTheManifests(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is not installed, so the manifests are only decoded")
	}
	answers := map[string]string{
		"/api":           `{"kind": "APIVersions", "versions": ["v1"]}`,
		"/apis":          `{"kind": "APIGroupList", "apiVersion": "v1", "groups": [{"name": "batch", "versions": [{"groupVersion": "batch/v1", "version": "v1"}], "preferredVersion": {"groupVersion": "batch/v1", "version": "v1"}}]}`,
		"/api/v1":        `{"kind": "APIResourceList", "groupVersion": "v1", "resources": [{"name": "serviceaccounts", "namespaced": true, "kind": "ServiceAccount", "verbs": ["get", "create", "patch"]}]}`,
		"/apis/batch/v1": `{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "batch/v1", "resources": [{"name": "jobs", "namespaced": true, "kind": "Job", "verbs": ["get", "create", "patch"]}, {"name": "cronjobs", "namespaced": true, "kind": "CronJob", "verbs": ["get", "create", "patch"]}]}`,
	}
	cluster := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answer, ok := answers[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer = `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}`
		}
		io.WriteString(w, answer)
	}))
	defer cluster.Close()
	for name, want := range map[string]string{"job.yaml": "job.batch/cognito-reset created", "cronjob.yaml": "cronjob.batch/cognito-reset-rotation created"} {
		cmd := exec.Command(kubectl, "apply", "--dry-run=client", "--validate=false", "--server", cluster.URL, "-f", "../../examples/kubernetes/"+name)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+os.DevNull, "HOME="+t.TempDir())
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
