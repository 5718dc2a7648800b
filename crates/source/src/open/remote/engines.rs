//! Images of an engine, read as the archive that it exports.

use std::io;

use tracing::{debug, info};

use crate::engines::{ContentStore, EngineClient, EngineError};
use crate::formats::SourceError;
use crate::http::HttpOptions;
use crate::open::{OpenError, Opened, Opening};
use nixdive_image::reference::{Engine, ImageName};

impl Opening<'_> {
    fn engine_client(&self, engine: Engine) -> Result<EngineClient, EngineError> {
        let http = HttpOptions { cancel: self.cancel().clone(), ..self.options.remote.http.clone() };
        match &self.options.remote.engines {
            Some(environment) => EngineClient::find(engine, environment, &http),
            None => Err(EngineError::NotThere { engine, tried: Vec::new() }),
        }
    }

    /// Opens an image of an engine.
    pub(in crate::open) fn engine(&self, engine: Engine, name: &str) -> Result<Opened, OpenError> {
        let failed = |error: EngineError| self.source_error(SourceError::Io(io::Error::other(error)));
        if engine == Engine::Containerd {
            return self.containerd(name);
        }
        self.archive_of(&self.engine_client(engine).map_err(failed)?, name)
    }

    fn archive_of(&self, client: &EngineClient, name: &str) -> Result<Opened, OpenError> {
        let failed = |error: EngineError| self.source_error(SourceError::Io(io::Error::other(error)));
        let archive = client.archive(name).map_err(failed)?;
        let mut opened = self.pipe(archive)?;
        opened.image.identity.source_kind = client.engine().transport().name().to_owned();
        Ok(opened)
    }

    /// Opens an image by name: from an engine, else from a registry.
    pub(in crate::open) fn name(&self, name: &ImageName) -> Result<Opened, OpenError> {
        let text = name.to_string();
        for engine in [Engine::Docker, Engine::Podman] {
            let transport = engine.transport().name();
            let Ok(client) = self.engine_client(engine) else {
                debug!(target: "source", engine = transport, "no such engine here");
                continue;
            };
            let has_image = client.has(&text);
            debug!(target: "source", engine = transport, has_image, "engine asked");
            if has_image {
                return self.archive_of(&client, &text);
            }
        }
        // Images that containerd has only in part are fetched from the registry.
        if let Some(environment) = &self.options.remote.engines
            && let Ok((store, digest)) = ContentStore::find_image(environment, &text)
            && let Ok(opened) = self.stored(&store, &text, &digest)
            && !opened.image.has_absent_layers()
        {
            debug!(target: "source", "containerd has the image, whole");
            return Ok(opened);
        }
        let full = self
            .registries()
            .and_then(|registries| registries.complete(name))
            .map_err(|error| self.registry_error(error))?;
        info!(target: "source", name = %text, full = full.in_full(), "no engine has it: a registry is asked");
        self.registry(&full).map_err(|error| match error {
            OpenError::Source { reference, error } => {
                let reason = format!("no such file, and no engine here has it; as {}: {error}", full.in_full());
                OpenError::Source { reference, error: SourceError::UnknownName(reason) }
            }
            other => other,
        })
    }
}
