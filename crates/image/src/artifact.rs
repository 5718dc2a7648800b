use super::{Digest, Identity};

/// An OCI artifact: content under a manifest that is not a container image, and has no files of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Artifact {
    /// Which manifest of which source.
    pub identity: Identity,
    /// Kind of the artifact, by its media types.
    pub kind: ArtifactKind,
    /// Media type of the manifest, where it gives one.
    pub media_type: Option<String>,
    /// `artifactType` of the manifest.
    pub artifact_type: Option<String>,
    /// The configuration, which need not be one of an image.
    pub config: Option<ArtifactBlob>,
    /// Its content, in the order of the manifest.
    pub blobs: Vec<ArtifactBlob>,
    /// The object that it describes: the signed image of a signature.
    pub subject: Option<ArtifactBlob>,
    /// Annotations of the manifest, in order.
    pub annotations: Vec<(String, String)>,
}

impl Artifact {
    /// Sum of the blobs' stored sizes, bytes.
    #[must_use]
    pub fn blob_bytes(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.bytes).fold(0, u64::saturating_add)
    }
}

/// A blob as the manifest describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArtifactBlob {
    /// As written; may be empty.
    pub media_type: String,
    /// `None` where the manifest gives none that is valid.
    pub digest: Option<Digest>,
    /// Bytes, as the manifest gives them.
    pub bytes: u64,
    /// The annotation `org.opencontainers.image.title`, usually the name of a file.
    pub title: Option<String>,
    /// All annotations, in order.
    pub annotations: Vec<(String, String)>,
}

/// Kind of an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ArtifactKind {
    /// A Helm chart.
    HelmChart,
    /// A WebAssembly component or module.
    WebAssembly,
    /// A signature, of cosign, sigstore or Notation.
    Signature,
    /// A statement of in-toto: provenance, test results, often with a signature.
    Attestation,
    /// A bill of materials in SPDX, CycloneDX or Syft's form.
    BillOfMaterials,
    /// A Singularity image (SIF).
    Singularity,
    /// Manifests of Kubernetes for Flux.
    FluxSource,
    /// Weights of a language model.
    Model,
    /// A plugin of Docker's engine.
    DockerPlugin,
    /// A Compose application.
    ComposeApplication,
    /// A feature or template of Development Containers.
    DevContainer,
    /// A policy bundle of Open Policy Agent.
    PolicyBundle,
    /// A vulnerability database.
    VulnerabilityDatabase,
    /// An image of which every layer is encrypted.
    EncryptedImage,
    /// An image whose layers are none that can be read here.
    UnreadableImage,
    /// Unknown kind.
    #[default]
    Other,
}

/// Kinds by a part of a media type. Of two that fit the first counts.
const BY_MEDIA_TYPE: &[(&str, ArtifactKind)] = &[
    ("vnd.cncf.helm.", ArtifactKind::HelmChart),
    ("vnd.dev.cosign.", ArtifactKind::Signature),
    ("vnd.cncf.notary.", ArtifactKind::Signature),
    ("vnd.dev.sigstore.", ArtifactKind::Signature),
    ("vnd.in-toto", ArtifactKind::Attestation),
    ("vnd.dsse.envelope", ArtifactKind::Attestation),
    ("spdx", ArtifactKind::BillOfMaterials),
    ("cyclonedx", ArtifactKind::BillOfMaterials),
    ("vnd.syft", ArtifactKind::BillOfMaterials),
    ("vnd.sylabs.sif", ArtifactKind::Singularity),
    ("wasm", ArtifactKind::WebAssembly),
    ("vnd.fermyon.spin", ArtifactKind::WebAssembly),
    ("vnd.cncf.flux", ArtifactKind::FluxSource),
    ("ollama.image", ArtifactKind::Model),
    ("docker.ai.", ArtifactKind::Model),
    ("vnd.cncf.model", ArtifactKind::Model),
    ("vnd.docker.plugin", ArtifactKind::DockerPlugin),
    ("compose.project", ArtifactKind::ComposeApplication),
    ("devcontainers", ArtifactKind::DevContainer),
    ("openpolicyagent", ArtifactKind::PolicyBundle),
    ("vnd.aquasec.trivy", ArtifactKind::VulnerabilityDatabase),
];

impl ArtifactKind {
    /// The kind that a media type tells; `None` where it tells none.
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        let fits = |(part, _): &&(&str, Self)| media_type.contains(part);
        BY_MEDIA_TYPE.iter().find(fits).map(|&(_, kind)| kind)
    }

    /// A noun phrase without article: `Helm chart`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HelmChart => "Helm chart",
            Self::WebAssembly => "WebAssembly component",
            Self::Signature => "signature",
            Self::Attestation => "attestation (in-toto)",
            Self::BillOfMaterials => "bill of materials",
            Self::Singularity => "Singularity image (SIF)",
            Self::FluxSource => "source of Flux",
            Self::Model => "language model",
            Self::DockerPlugin => "plugin of Docker",
            Self::ComposeApplication => "Compose application",
            Self::DevContainer => "feature or template of Development Containers",
            Self::PolicyBundle => "policy bundle (OPA)",
            Self::VulnerabilityDatabase => "vulnerability database",
            Self::EncryptedImage => "image with encrypted layers",
            Self::UnreadableImage => "image without a layer that can be read",
            Self::Other => "artifact",
        }
    }

    /// For programs: `helm-chart`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HelmChart => "helm-chart",
            Self::WebAssembly => "wasm",
            Self::Signature => "signature",
            Self::Attestation => "attestation",
            Self::BillOfMaterials => "sbom",
            Self::Singularity => "sif",
            Self::FluxSource => "flux-source",
            Self::Model => "model",
            Self::DockerPlugin => "docker-plugin",
            Self::ComposeApplication => "compose-application",
            Self::DevContainer => "devcontainer",
            Self::PolicyBundle => "policy-bundle",
            Self::VulnerabilityDatabase => "vulnerability-database",
            Self::EncryptedImage => "encrypted-image",
            Self::UnreadableImage => "unreadable-image",
            Self::Other => "artifact",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ArtifactKind;

    #[test]
    fn kinds_are_told_by_media_types() {
        let cases = [
            ("application/vnd.cncf.helm.config.v1+json", ArtifactKind::HelmChart),
            ("application/vnd.wasm.config.v0+json", ArtifactKind::WebAssembly),
            ("application/vnd.dev.cosign.simplesigning.v1+json", ArtifactKind::Signature),
            ("application/vnd.in-toto+json", ArtifactKind::Attestation),
            ("application/vnd.sylabs.sif.layer.v1.sif", ArtifactKind::Singularity),
            ("text/spdx+json", ArtifactKind::BillOfMaterials),
        ];
        for (media_type, kind) in cases {
            assert_eq!(ArtifactKind::of_media_type(media_type), Some(kind), "{media_type}");
        }
        assert_eq!(ArtifactKind::of_media_type("application/vnd.oci.image.layer.v1.tar"), None);
    }
}
