//! Checks before the first write whether an application may be rolled out, can be, and has to be.

use std::collections::BTreeMap;

use futures::future::join_all;

use crate::cluster::access_review::AccessReview;
use crate::cluster::permissions::{self, Right, RightPurpose};
use crate::cluster::record_store::{self, StoredRecord};
use crate::cluster::service::Change;
use crate::cluster::status_mirror::StatusMirror;
use crate::driver::application_run::ApplicationRun;
use crate::driver::checks::local_gates::refuse_local_gates;
use crate::driver::checks::object_dry_run::{NewObjects, dry_run_objects};
use crate::driver::checks::queries::check_queries;
use crate::driver::checks::{Warning, check_cluster};
use crate::driver::other_application::missing_reads;
use crate::driver::outcome::Failure;
use crate::driver::planned_component::PlannedComponent;
use crate::driver::prepare::{PreparedComponent, Rejection};
use crate::driver::prepared_objects::PreparedObjects;
use crate::driver::rejected::Rejected;
use crate::driver::snapshot::Snapshot;
use crate::driver::workflow::held_components;
use crate::plan::step::Step;
use crate::report::event::EventKind;

impl<'a> ApplicationRun<'a> {
    /// Whether a rejected request may be accepted later, because another run has claimed a component since the snapshot
    /// was taken, or drives one. A paused run may stay paused forever, so it does not count.
    pub async fn may_be_accepted_later(&self, snapshot: Option<&Snapshot<'_>>) -> bool {
        let Self { context, request, .. } = self;
        let names = request.component_names();
        let found = record_store::find_records(&context.session, &request.namespace, &names).await;
        let records = found.into_iter().flatten().filter_map(|(name, record)| Some((name, record.ok()?)));
        let records: BTreeMap<String, StoredRecord> = records.collect();
        let is_news = |(name, stored): (&String, &StoredRecord)| {
            let seen = snapshot.and_then(|snapshot| snapshot.record(name).ok());
            seen.is_some_and(|seen| seen.is_none_or(|seen| seen.record.epoch < stored.record.epoch))
        };
        if records.iter().any(is_news) {
            return true;
        }
        for component in request.components.iter().filter(|component| component.intent.waits_for_a_run()) {
            let record = records.get(&component.name).map(|stored| &stored.record);
            let is_open = record.is_some_and(|record| record.run.paused.is_none());
            if is_open && self.claimant().is_driven().await.unwrap_or(false) {
                return true;
            }
        }
        false
    }

    /// Whether nothing would be written.
    pub fn is_at_rest(&self, components: &[PreparedComponent]) -> bool {
        let held = held_components(components, &self.watch.cache);
        components.iter().all(|prepared| {
            if held.contains(prepared.component.as_str()) {
                return true;
            }
            if let Some(is_at_rest) = prepared.are_objects_at_rest() {
                return is_at_rest && prepared.objects.as_ref().is_some_and(PreparedObjects::were_ready);
            }
            !prepared.has_prerequisites()
                && prepared.next_step(&prepared.observed(&self.watch.cache)).is_rest()
        })
    }

    /// Whether a run of one of the components would be resumed.
    pub fn resumes(&self, components: &[PreparedComponent]) -> bool {
        components.iter().filter(|prepared| prepared.objects.is_none()).any(|prepared| {
            let step = prepared.next_step(&prepared.observed(&self.watch.cache));
            matches!(step, Step::Claim { resumes: true, .. })
        })
    }

    /// Checks every permission that the run needs, so that it does not fail halfway because one is missing.
    pub async fn check_rights(&self, components: &[PreparedComponent]) -> Result<AccessReview<'a>, Rejected> {
        let (request, kinds) = (self.request, self.request.kinds());
        let is_touched = components.iter().any(|prepared| prepared.component_services.touches_services());
        let has_smoke_tests =
            components.iter().any(|prepared| prepared.desired.gates.all_smoke_tests().next().is_some());
        let exposes = is_touched.then_some(RightPurpose::Services);
        let besides = exposes.into_iter().chain(has_smoke_tests.then_some(RightPurpose::SmokeTests));
        let access = AccessReview::load(&self.context.session, &request.namespace).await?;
        let removes = components
            .iter()
            .flat_map(|prepared| &prepared.service_changes)
            .any(|change| matches!(change, Change::Remove(_)));
        let removal = removes.then_some(Right { verb: "delete", group: "", resource: "services" });
        let mut rights: Vec<Right<'_>> =
            permissions::rights_of_run(request.operation(), &kinds, besides).chain(removal).collect();
        for right in components.iter().flat_map(PreparedComponent::rights_on_objects) {
            if !rights.contains(&right) {
                rights.push(right);
            }
        }
        let missing = match access.missing_permissions(rights.into_iter()).await? {
            None => missing_reads(&self.context.session, &request.namespace, components).await?,
            Some(missing) => Some(missing),
        };
        if let Some(reason) = missing {
            let hint = "ask for the Role that `rollout rbac` prints, or use another `--context` or `--user`";
            return Err(Failure::refused(reason).hint(hint).into());
        }
        Ok(access)
    }

    /// Refuses gates that use this machine without trust, or need what it does not have.
    pub fn refuse_gates(&self, components: &[PreparedComponent]) -> Result<(), Rejected> {
        refuse_local_gates(self.context, &self.watch.cache, components)
    }

    /// Checks every permission that the run needs, and everything else that can be checked beforehand. Returns the
    /// views that the run may update.
    pub async fn check(&self, components: &[PreparedComponent]) -> Result<StatusMirror, Rejected> {
        self.refuse_gates(components)?;
        let session = &self.context.session;
        let (access, mirror) = tokio::join!(self.check_rights(components), StatusMirror::discover(session));
        let access = access?;
        self.check_cluster(components).await?;
        let (created, dry_runs) = (NewObjects::of(components), session.for_dry_runs());
        let judged = components.iter().map(|prepared| async {
            let observed = prepared.observed(&self.watch.cache);
            let judged = dry_run_objects(&dry_runs, prepared, &observed, &created).await;
            judged.map_err(|failure| Rejection { component: prepared.component.clone(), failure })
        });
        let parsed = components.iter().map(|prepared| async {
            let parsed = check_queries(self.context, prepared).await;
            parsed.map_err(|failure| Rejection { component: prepared.component.clone(), failure })
        });
        let (judged, parsed) = tokio::join!(join_all(judged), join_all(parsed));
        let refused = judged.into_iter().filter_map(Result::err);
        let refused: Vec<Rejection> = refused.chain(parsed.into_iter().filter_map(Result::err)).collect();
        if !refused.is_empty() {
            return Err(refused.into());
        }
        let Some(lack) = access.missing_permissions(mirror.rights()).await? else { return Ok(mirror) };
        let message = format!(
            "the views for kubectl are not updated: {lack}; `rollout rbac --with-views` prints the permissions"
        );
        self.warn_once(Warning { component: None, message });
        Ok(StatusMirror::disabled(session))
    }

    /// Checks against the cluster: fails if the runs cannot succeed, warns if they may not.
    pub(super) async fn check_cluster(&self, components: &[PreparedComponent]) -> Result<(), Failure> {
        let planned: Vec<PlannedComponent> = components
            .iter()
            .map(|prepared| PlannedComponent::of(prepared.clone(), &self.watch.cache))
            .collect();
        let warnings = check_cluster(&self.context.session, &self.request.namespace, &planned).await?;
        warnings.into_iter().for_each(|warning| self.warn_once(warning));
        Ok(())
    }

    fn warn_once(&self, Warning { component, message }: Warning) {
        if self.context.session.warnings().is_first(&message) {
            self.emit(component.as_deref(), EventKind::Warned { message });
        }
    }
}
