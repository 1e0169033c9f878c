module cognito-reset

go 1.26.0

require (
	github.com/aws/aws-sdk-go-v2 v1.48.0 // configuration, signing, retries
	github.com/aws/aws-sdk-go-v2/config v1.33.16 // profiles, SSO, roles, as every AWS tool finds them
	github.com/aws/aws-sdk-go-v2/credentials v1.20.16 // roles, and the sandbox that needs none
	github.com/aws/aws-sdk-go-v2/service/cloudwatch v1.75.6 // what live users take of the quota
	github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider v1.61.0 // the user pool
	github.com/aws/aws-sdk-go-v2/service/s3 v1.114.9 // inputs and run directories in S3
	github.com/aws/aws-sdk-go-v2/service/servicequotas v1.43.11 // the quota of the account
	github.com/aws/aws-sdk-go-v2/service/sesv2 v1.79.8 // whether the pool may send at all
	github.com/aws/aws-sdk-go-v2/service/sts v1.51.9 // who calls, and in which account
	github.com/aws/smithy-go v1.28.9 // the errors of the SDK
	github.com/chromedp/cdproto v0.159.0 // tests: the page in Chromium
	github.com/chromedp/chromedp v0.23.0 // tests: the page in Chromium
	github.com/creack/pty v1.1.24 // tests: a pseudo-terminal
	github.com/dustin/go-humanize v1.1.0 // thousands and bytes for people
	github.com/fxamacker/cbor/v2 v2.10.0 // the sandbox: CloudWatch speaks CBOR
	github.com/go-json-experiment/json v1.27.2 // the journal and the roster: JSON that is strict and in order
	github.com/goccy/go-yaml v1.19.2 // job files, with line and column of what is wrong
	github.com/gofrs/flock v0.13.2 // the lock of a run directory, on every system
	github.com/hiddeco/sshsig v0.2.0 // signatures of evidence, as ssh-keygen makes them
	github.com/johannesboyne/gofakes3 v1.2.0 // tests: S3 in this process
	github.com/klauspost/compress v1.20.3 // gzip and zstd, inputs and evidence
	github.com/nyaruka/phonenumbers v1.8.1 // phone numbers in E.164
	github.com/prometheus/client_golang v1.25.0 // metrics
	github.com/rogpeppe/go-internal v1.16.0 // tests: scripts that run the command
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // tests: templates against their schemas
	github.com/schollz/progressbar/v3 v3.19.1 // the bar
	github.com/urfave/cli/v2 v2.27.7 // the command line
	github.com/xuri/excelize/v2 v2.11.1 // Excel workbooks
	golang.org/x/crypto v0.58.0 // SSH keys
	golang.org/x/sys v0.49.0 // locks, births of files and terminals, on every system
	golang.org/x/term v0.47.0 // passphrases, and how wide a terminal is
	golang.org/x/text v0.43.0 // Unicode forms, UTF-16 and old code pages
	golang.org/x/time v0.16.0 // the pace
	k8s.io/api v0.37.2 // tests: manifests as a server reads them
	sigs.k8s.io/yaml v1.6.0 // tests: manifests as a server reads them
)

require (
	github.com/BurntSushi/toml v1.5.0 // indirect
	github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream v1.7.26 // indirect
	github.com/aws/aws-sdk-go-v2/feature/ec2/imds v1.20.8 // indirect
	github.com/aws/aws-sdk-go-v2/internal/configsources v1.5.11 // indirect
	github.com/aws/aws-sdk-go-v2/internal/endpoints/v2 v2.8.11 // indirect
	github.com/aws/aws-sdk-go-v2/internal/v4a v1.5.11 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/accept-encoding v1.13.24 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/checksum v1.11.12 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/presigned-url v1.14.11 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/s3shared v1.20.11 // indirect
	github.com/aws/aws-sdk-go-v2/service/signin v1.12.4 // indirect
	github.com/aws/aws-sdk-go-v2/service/sso v1.39.4 // indirect
	github.com/aws/aws-sdk-go-v2/service/ssooidc v1.44.4 // indirect
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/cpuguy83/go-md2man/v2 v2.0.7 // indirect
	github.com/go-logr/logr v1.4.3 // indirect
	github.com/json-iterator/go v1.1.12 // indirect
	github.com/mitchellh/colorstring v0.0.0-20190213212951-d06e56a500db // indirect
	github.com/modern-go/concurrent v0.0.0-20180306012644-bacd9c7ef1dd // indirect
	github.com/modern-go/reflect2 v1.0.3-0.20250322232337-35a7c28c31ee // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/prometheus/client_model v0.6.3 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/richardlehane/mscfb v1.0.9 // indirect
	github.com/richardlehane/msoleps v1.0.6 // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	github.com/russross/blackfriday/v2 v2.1.0 // indirect
	github.com/ryszard/goskiplist v0.0.0-20150312221310-2dfbae5fcf46 // indirect
	github.com/tiendc/go-deepcopy v1.7.2 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	github.com/xrash/smetrics v0.0.0-20240521201337-686a1a2994c1 // indirect
	github.com/xuri/efp v0.0.3-0.20260924042702-217b81952dec // indirect
	github.com/xuri/nfp v0.0.2-0.20250530014748-2ddeb826f9a9 // indirect
	go.shabbyrobe.org/gocovmerge v0.0.0-20230507111327-fa4f82cfbf4d // indirect
	go.yaml.in/yaml/v2 v2.4.4 // indirect
	golang.org/x/exp/typeparams v0.0.0-20231108232855-2478ac86f678 // indirect
	golang.org/x/image v0.45.0 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/telemetry v0.0.0-20261010193011-f71dc92da45e // indirect
	golang.org/x/tools v0.52.0 // indirect
	golang.org/x/vuln v1.9.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
	gopkg.in/inf.v0 v0.9.1 // indirect
	honnef.co/go/tools v0.8.2 // indirect
	k8s.io/apimachinery v0.37.2 // indirect
	k8s.io/klog/v2 v2.140.0 // indirect
	k8s.io/kube-openapi v0.0.0-20260721132016-d427ff9ee9ad // indirect
	k8s.io/utils v0.0.0-20260626114624-be93311217bd // indirect
	sigs.k8s.io/json v0.0.0-20250730193827-2d320260d730 // indirect
	sigs.k8s.io/randfill v1.0.0 // indirect
	sigs.k8s.io/structured-merge-diff/v6 v6.4.2 // indirect
)

tool (
	golang.org/x/vuln/cmd/govulncheck
	honnef.co/go/tools/cmd/staticcheck
)
