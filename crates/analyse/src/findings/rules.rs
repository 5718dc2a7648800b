/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know; often as it should be.
    Information,
    /// Costs bytes or care for nothing.
    Warning,
    /// Wrong, or dangerous.
    Problem,
}

impl Severity {
    /// `information`, `warning`, `problem`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// A rule and what is fixed about it.
#[derive(Debug, Clone, Copy)]
pub struct RuleInfo {
    /// Which.
    pub rule: Rule,
    /// Its stable id.
    pub id: &'static str,
    /// How much a hit matters as a rule.
    pub severity: Severity,
    /// Remedy, in Dockerfile terms if it differs for Nix.
    pub remedy: &'static str,
    /// Remedy in an image built by Nix.
    pub nix_remedy: &'static str,
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident $id:literal $severity:ident $remedy:literal $($nix:literal)?;)*) => {
        /// A rule.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule {
            $($(#[$doc])* $name,)*
        }

        /// All rules.
        pub const RULES: &[RuleInfo] = &[$(RuleInfo {
            rule: Rule::$name,
            id: $id,
            severity: Severity::$severity,
            remedy: $remedy,
            nix_remedy: rules!(@last $remedy $($nix)?),
        },)*];

        impl Rule {
            /// Returns the fixed properties of the rule.
            #[must_use]
            pub fn info(self) -> RuleInfo {
                match self {
                    $(Self::$name => RuleInfo {
                        rule: self,
                        id: $id,
                        severity: Severity::$severity,
                        remedy: $remedy,
                        nix_remedy: rules!(@last $remedy $($nix)?),
                    },)*
                }
            }
        }
    };
    (@last $remedy:literal) => { $remedy };
    (@last $remedy:literal $nix:literal) => { $nix };
}

rules! {
    /// Caches and lists of package managers.
    PackageCache "image.package-cache" Warning
        "remove them in the RUN that makes them (rm -rf /var/lib/apt/lists/*, apk add --no-cache, pip install --no-cache-dir), or use RUN --mount=type=cache";
    /// Logs and temporary files.
    Temporary "image.temporary-files" Warning
        "remove them in the step that writes them"
        "do not let runAsRoot, extraCommands or fakeRootCommands leave them behind";
    /// Manuals and other documentation outside the store.
    Documentation "image.documentation" Information
        "leave them out (dpkg: path-exclude in /etc/dpkg/dpkg.cfg.d, dnf: --nodocs), but keep the licences";
    /// Translations and locale data outside the store.
    Locales "image.locales" Information
        "keep the locales that are used (localepurge, glibc-minimal-langpack, localedef for one locale)";
    /// Headers, static libraries, pkg-config and CMake files outside the store.
    DevelopmentFiles "image.development-files" Warning
        "build in a stage of its own, and copy the result into a stage without development packages";
    /// Compilers and other tools that only a build needs.
    BuildTools "image.build-tools" Warning
        "build in a stage of its own (FROM … AS build, COPY --from=build), or remove them in the same RUN";
    /// Compiled Python outside the store.
    Bytecode "image.python-bytecode" Information
        "set PYTHONDONTWRITEBYTECODE=1 and pip install --no-compile if a slightly slower start is acceptable";
    /// Test suites that libraries bring along.
    TestSuite "image.test-suite" Information
        "remove them in the RUN that installs the library";
    /// A version control system's data.
    VersionControl "image.version-control" Warning
        "list .git in .dockerignore, or copy only what is needed: it contains all history, removed secrets included"
        "take the source with lib.cleanSource, lib.fileset or builtins.fetchGit: .git contains all history, removed secrets included";
    /// Programs and libraries with symbols or debugging information.
    Unstripped "image.unstripped" Information
        "strip them in the step that builds them (strip --strip-unneeded, go build -ldflags='-s -w', strip = true in Cargo.toml)"
        "do not set dontStrip; use separateDebugInfo = true, stripAllList, or ldflags = [ \"-s\" \"-w\" ] for Go";
    /// Equal files at several paths.
    DuplicateContent "image.duplicate-content" Information
        "keep one and link to it; a COPY of links keeps them links"
        "link to it with a symbolic link (image builders turn hard links into copies), or let both depend on one store path";
    /// Copies that upper layers hide or remove.
    HiddenCopies "image.hidden-copies" Warning
        "write each file once with its final content, mode and owner, and delete in the step that creates"
        "change files where they are made, not in a layer above (extraCommands and fromImage add, they do not replace)";
    /// Names that pass through symbolic links of lower layers.
    WritesThroughLink "image.writes-through-link" Warning
        "write to the path that the link leads to (usr/bin/x where /bin is a link to usr/bin); COPY and ADD to /usr/bin, not to /bin";
    /// A layer that is large as a whole.
    OversizedLayer "image.oversized-layer" Information
        "split what rarely changes from what often does: dependencies first, the program last"
        "raise maxLayers, so that large store paths get layers of their own";
    /// Set-uid and set-gid programs.
    SetUid "image.set-uid" Information
        "remove the bits where nothing needs them (chmod a-s), and run with no-new-privileges"
        "the store cannot hold such bits: they come from extraCommands, fakeRootCommands or a base image; drop them there";
    /// Programs with capabilities of their own.
    FileCapability "image.file-capability" Information
        "give the capability to the container instead (--cap-add), and remove it from the file (setcap -r)";
    /// Files and directories that everyone may write.
    WorldWritable "image.world-writable" Warning
        "chmod o-w, or the sticky bit for directories that all share"
        "set the mode in fakeRootCommands or with nix2container's perms";
    /// It runs as root.
    RootUser "image.root-user" Warning
        "add USER with a number that is not 0, after the steps that need root"
        "set config.User = \"1000:1000\", with dockerTools.fakeNss for its name";
    /// A private key in a file.
    PrivateKey "image.private-key" Problem
        "remove it and replace the key: everyone with the image has it; provide keys at run time, or RUN --mount=type=secret";
    /// A token of a known form in a file.
    Token "image.token" Problem
        "remove it and revoke it: everyone with the image has it; provide it at run time, or RUN --mount=type=secret";
    /// A password in a file that programs read passwords from.
    Password "image.password-in-file" Warning
        "remove it and change it: everyone with the image has it; provide it at run time";
    /// A secret in the environment.
    SecretInEnvironment "image.secret-in-environment" Problem
        "remove the ENV and provide the value at run time; then change the secret"
        "remove it from config.Env and provide the value at run time; then change the secret";
    /// A secret in a label.
    SecretInLabel "image.secret-in-label" Problem
        "remove the label, and change the secret";
    /// A secret in the history.
    SecretInHistory "image.secret-in-history" Problem
        "use RUN --mount=type=secret in place of ARG and ENV; then change the secret: the history stays readable";
    /// TLS without certificates to trust.
    NoCaBundle "image.no-ca-bundle" Information
        "install ca-certificates, or copy /etc/ssl/certs/ca-certificates.crt, if it connects to anything by TLS"
        "add pkgs.cacert (or dockerTools.caCertificates) to contents, or SSL_CERT_FILE=${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt to config.Env, if it connects to anything by TLS";
    /// The configured command is missing or not executable.
    StartMissing "image.start-missing" Problem
        "correct ENTRYPOINT or CMD, or COPY the program there with the right to execute it (COPY --chmod=755)"
        "name the program by lib.getExe in config.Entrypoint or Cmd, or put its package into contents, so that it is linked into /bin";
    /// The interpreter of what is started is not there.
    InterpreterMissing "image.interpreter-missing" Problem
        "install the interpreter, link the program statically (CGO_ENABLED=0, musl), or use a base image with the C library that it was linked with; a first line must not end in a carriage return"
        "patch it: patchShebangs for scripts, autoPatchelfHook for programs that Nix did not build; dockerTools.usrBinEnv and binSh bring /usr/bin/env and /bin/sh";
    /// The user or group of the configuration is not one of the image.
    UnknownUser "image.unknown-user" Problem
        "create it (useradd, adduser) before USER, or give its number"
        "give the number, or add dockerTools.fakeNss.override { extraPasswdLines = [ … ]; extraGroupLines = [ … ]; } to contents";
    /// Programs for another processor than the configuration says.
    OtherArchitecture "image.wrong-architecture" Problem
        "build for the platform of the image (docker buildx build --platform, GOARCH, FROM --platform), or correct the platform"
        "build with the package set of that platform (pkgsCross, or system of the image), or set architecture to what is in it";
    /// The user of the configuration has no right to what it starts.
    NotReadable "image.not-readable-by-user" Problem
        "chmod a+rX the directories on the way to the program, or COPY with --chmod or --chown"
        "let /nix and /nix/store have mode 755: set it in fakeRootCommands or with nix2container's perms";
    /// Variables that name files which are not there.
    VariableNowhere "image.missing-file-in-environment" Warning
        "correct the ENV, or install what it names (ca-certificates for SSL_CERT_FILE)"
        "interpolate the path, so that it comes along: SSL_CERT_FILE=${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt";
    /// No directory for temporary files.
    NoTemporaryDirectory "image.no-tmp" Warning
        "make it with the sticky bit (RUN mkdir -m 1777 /tmp), or mount a tmpfs on it"
        "make it in extraCommands (mkdir -m 1777 tmp), or mount a tmpfs on it";
    /// Development outputs in a closure.
    DevOutput "nix.dev-output" Warning
        "refer to lib.getLib or lib.getBin of the package, or removeReferencesTo the dev output; disallowedReferences keeps it out";
    /// Development files in other outputs.
    NixDevelopmentFiles "nix.development-files" Information
        "give the package outputs = [ \"out\" \"dev\" ], or remove them in postInstall; dontDisableStatic must not be set";
    /// Compilers and build environments in a closure.
    Toolchain "nix.toolchain" Warning
        "cut the reference: removeReferencesTo or nukeReferences on the file of the chain, and disallowedReferences = [ stdenv.cc ] to keep it out; go: -trimpath";
    /// An interpreter that is there for a script's first line.
    InterpreterByShebang "nix.interpreter-by-shebang" Warning
        "remove the script in postInstall, move it to an output of its own (moveToOutput), or set dontPatchShebangs for it";
    /// Documentation in store paths.
    NixDocumentation "nix.documentation" Information
        "refer to an output without it: outputs = [ \"out\" \"doc\" \"man\" ], or remove share/doc and share/man in postInstall";
    /// Locale data in store paths.
    NixLocales "nix.locales" Information
        "glibcLocales.override { allLocales = false; locales = [ … ]; }; remove share/locale in postInstall where no translation is used";
    /// Compiled Python in store paths.
    NixBytecode "nix.python-bytecode" Information
        "it makes starting faster; where bytes matter more, remove __pycache__ in postFixup";
    /// Test suites in store paths.
    NixTestSuite "nix.test-suite" Information
        "remove them in postInstall; for Python itself python3Minimal, or stripTests = true";
    /// Several versions of one package.
    SeveralVersions "nix.several-versions" Warning
        "let all inputs follow one nixpkgs (inputs.x.inputs.nixpkgs.follows), or override the package that brings the other one";
    /// Several builds of one version of a package.
    SeveralBuilds "nix.several-builds" Warning
        "find out how they differ (nix-diff), and use one: overrides in an overlay reach all users of a package";
    /// Store paths that nothing holds.
    Unreachable "nix.unreachable" Warning
        "leave them out of contents and copyToRoot; build-time inputs do not belong in the runtime closure";
    /// Store paths in more than one layer.
    SeveralLayers "nix.in-several-layers" Warning
        "build on the other image's layers instead of its store (nix2container: layers with deps), and do not change store paths in a layer above";
    /// Everything that is left over in one layer.
    CatchAllLayer "nix.catch-all-layer" Information
        "raise maxLayers, or group by what changes together (nix2container buildLayer), so that the program has a layer of its own; streamLayeredImage instead of buildImage";
    /// A secret in a store path.
    SecretInStore "nix.secret-in-store" Problem
        "keep it out of the store, which everyone can read on every machine that built it: provide it at run time (sops-nix, agenix, a mounted file); then change it";
    /// `created` is the beginning of 1970.
    Created1970 "nix.created-1970" Information
        "harmless: dockerTools sets it so that equal inputs make equal images; created = \"now\" gives a date at that price";
    /// The Nix database and the files differ.
    DatabaseDisagrees "nix.database-disagrees" Problem
        "register the actual closure (includeNixDB, closureInfo with nix-store --load-db), and do not change store paths afterwards";
    /// Store paths that are named, and not there.
    Dangling "nix.dangling-reference" Warning
        "if it is needed at run time, keep its context in the string that names it (no unsafeDiscardStringContext) or add it to contents; else removeReferencesTo";
}

impl Rule {
    /// Its stable id.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.info().id
    }
}
