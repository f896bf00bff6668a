//! The component that a command changes, and the way to it.

use crate::cli::commands::driving;
use crate::cli::commands::gather;
use crate::cli::commands::plan;
use crate::cli::connect::client::Access;
use crate::cli::connect::setting::{self, Setting, unreachable};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::flags::args::{GlobalArgs, RunOutput};
use crate::cli::flags::trial::Trial;
use crate::cli::terminal::ui::Ui;
use crate::cluster::record_store;
use crate::driver::context::Limits;
use crate::driver::pause::Place;
use crate::driver::request::{Intent, Overrides, RolloutRequest};
use crate::oam::kind::WorkloadKind;
use crate::plan::record::Record;

/// A component that has been rolled out.
pub struct Component {
    /// The way to the cluster.
    pub setting: Setting,
    /// The namespace.
    pub namespace: String,
    /// Its record, as it was read now.
    pub record: Record,
}

impl Component {
    /// Finds the one that is meant; its name may be left out where the namespace has only one.
    ///
    /// # Errors
    ///
    /// A cluster that cannot be read, no such component, or more than one to choose from.
    pub async fn find(
        name: Option<&str>,
        trial: Option<Trial>,
        global: &GlobalArgs,
        ui: &mut Ui,
    ) -> Result<Self, Failure> {
        let purpose = if trial.is_some() { Access::Read } else { Access::Write };
        let setting = setting::open(global, purpose, ui).await?;
        let namespace = setting.connection.namespaces.resolve(None).to_owned();
        let known = record_store::load_records(&setting.session, &namespace).await.map_err(unreachable)?;
        let record = gather::pick(&known, name, &namespace)?.clone();
        Ok(Self { setting, namespace, record })
    }

    /// What it runs as.
    pub fn kind(&self) -> WorkloadKind {
        self.record.run.spec.kind
    }

    /// Where it is.
    pub fn place(&self) -> Place<'_> {
        Place { namespace: &self.namespace, component: &self.record.component }
    }

    /// Drives a request about it, or shows what driving it would do.
    ///
    /// # Errors
    ///
    /// Whatever stops the rollout.
    pub async fn drive(
        &self,
        request: RolloutRequest,
        trial: Option<Trial>,
        limits: Limits,
        output: RunOutput,
        ui: &mut Ui,
    ) -> Result<u8, Failure> {
        if let Some(Trial { place, form }) = trial {
            plan::show(&self.setting, &[request], Some(place), form, ui).await?;
            return Ok(exit::SUCCESS);
        }
        driving::drive(&self.setting, &[request], limits, output, ui).await
    }

    /// Something asked of it alone.
    pub fn request(&self, intent: Intent, overrides: Overrides) -> RolloutRequest {
        RolloutRequest::of_record(&self.record, self.namespace.clone(), intent, overrides)
    }
}
