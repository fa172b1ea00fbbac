//! What kind of work a call asks for, told from its path: that is all that is known of a call
//! before its message is read.

use crate::proto::v1::provisioning_service_server::SERVICE_NAME as PROVISIONING;
use crate::proto::v1::record_service_server::SERVICE_NAME as RECORDS;
use crate::telemetry::metrics::label::CallKind;

/// Kinds of calls, by what they cost and who waits for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One question that somebody waits for: an order, an activation.
    Check,
    /// Up to a thousand questions at once.
    Batch,
    /// A stream of batches.
    Screen,
    /// A stream of records, answered once at its end.
    Import,
    /// Everything else that is asked of the two services: one message, one answer.
    Other,
    /// Health and reflection. Their answers may be streams.
    Probe,
}

/// Whose methods a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// `icpgate.v1.ProvisioningService`.
    Provisioning,
    /// `icpgate.v1.RecordService`.
    Records,
    /// Health, reflection, and what nobody serves.
    Auxiliary,
}

impl Kind {
    /// The kind of a call.
    pub(super) fn of(path: &str) -> Self {
        match (Service::of(path), method(path)) {
            (Service::Provisioning, "CheckProvisioning") => Self::Check,
            (Service::Provisioning, "BatchCheckProvisioning") => Self::Batch,
            (Service::Provisioning, "ScreenDomains") => Self::Screen,
            (Service::Records, "ImportRecords") => Self::Import,
            (Service::Provisioning | Service::Records, _) => Self::Other,
            (Service::Auxiliary, _) => Self::Probe,
        }
    }

    /// The kind as it is counted; `None` where calls need no place.
    pub(super) fn label(self) -> Option<CallKind> {
        match self {
            Self::Batch => Some(CallKind::Batch),
            Self::Check => Some(CallKind::Check),
            Self::Import => Some(CallKind::Import),
            Self::Other => Some(CallKind::Other),
            Self::Probe => None,
            Self::Screen => Some(CallKind::Screen),
        }
    }

    /// Whether the call may last: `limits.call_timeout` does not bound it as a whole.
    pub(super) fn lasts(self) -> bool {
        match self {
            Self::Screen | Self::Import | Self::Probe => true,
            Self::Check | Self::Batch | Self::Other => false,
        }
    }
}

impl Service {
    /// Whose a call is.
    pub(super) fn of(path: &str) -> Self {
        let Some((service, _)) = path.strip_prefix('/').and_then(|path| path.split_once('/'))
        else {
            return Self::Auxiliary;
        };
        match service {
            PROVISIONING => Self::Provisioning,
            RECORDS => Self::Records,
            _ => Self::Auxiliary,
        }
    }
}

fn method(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(_, method)| method)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    /// A method that is added has to be given a kind here, or calls of it take the places of
    /// others unnoticed.
    #[test]
    fn every_method_has_its_kind() {
        let mut found: Vec<(String, Kind)> = paths()
            .into_iter()
            .map(|path| (path.clone(), Kind::of(&path)))
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        let expected = [
            (
                "/icpgate.v1.ProvisioningService/BatchCheckProvisioning",
                Kind::Batch,
            ),
            (
                "/icpgate.v1.ProvisioningService/CheckProvisioning",
                Kind::Check,
            ),
            ("/icpgate.v1.ProvisioningService/GetDecision", Kind::Other),
            (
                "/icpgate.v1.ProvisioningService/ScreenDomains",
                Kind::Screen,
            ),
            ("/icpgate.v1.RecordService/GetDomain", Kind::Other),
            ("/icpgate.v1.RecordService/ImportRecords", Kind::Import),
            ("/icpgate.v1.RecordService/ListChanges", Kind::Other),
            ("/icpgate.v1.RecordService/PutRecords", Kind::Other),
        ];
        let expected: Vec<(String, Kind)> = expected
            .iter()
            .map(|(path, kind)| ((*path).to_owned(), *kind))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_nobody_serves_is_auxiliary() {
        for path in [
            "",
            "/",
            "//",
            "/icpgate.v1.ProvisioningService",
            "icpgate.v1.ProvisioningService/CheckProvisioning",
            "/icpgate.v1.ProvisioningServiceX/CheckProvisioning",
            "/grpc.health.v1.Health/Check",
        ] {
            assert_eq!(Kind::of(path), Kind::Probe, "{path}");
        }
        assert_eq!(
            Kind::of("/icpgate.v1.ProvisioningService/Nothing"),
            Kind::Other
        );
        assert_eq!(
            Kind::of("/icpgate.v1.ProvisioningService/a/CheckProvisioning"),
            Kind::Check,
            "the service itself refuses it"
        );
    }

    /// Paths of all methods of the API.
    fn paths() -> Vec<String> {
        let set = FileDescriptorSet::decode(crate::proto::DESCRIPTORS).expect("descriptors");
        let mut paths = Vec::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    let (package, service) = (file.package(), service.name());
                    if package == "icpgate.v1" {
                        paths.push(format!("/{package}.{service}/{}", method.name()));
                    }
                }
            }
        }
        paths
    }
}
