//! The one table of methods: which service answers, what permission it takes, whether it streams. What is not in it is
//! denied.

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Permission {
    /// Ask for scores.
    Score,
    /// Look at models and the protocol.
    Read,
    /// Load models and give labels.
    Manage,
}

impl Permission {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Score, Self::Read, Self::Manage];

    /// The name in key files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::Read => "read",
            Self::Manage => "manage",
        }
    }
}

/// Who answers a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// `churn.v1.ScoringService`.
    Scoring,
    /// `churn.v1.ModelService`.
    Models,
    /// `churn.v1.InsightService`.
    Insights,
    /// `inference.GRPCInferenceService`.
    Inference,
    /// `grpc.health.v1.Health`.
    Health,
    /// `grpc.reflection.*.ServerReflection`.
    Reflection,
}

/// How a method's messages come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MethodKind {
    /// One request, one response.
    Unary,
    /// One large request, whose response is computed on the pool.
    Bulk,
    /// One request, responses for as long as the client listens.
    ServerStream,
    /// Requests and responses for as long as the client likes.
    BidiStream,
}

impl MethodKind {
    /// Whether messages come one after another, for as long as the client likes and the limits allow.
    pub(crate) fn is_streaming(self) -> bool {
        matches!(self, Self::ServerStream | Self::BidiStream)
    }

    /// The name in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unary | Self::Bulk => "unary",
            Self::ServerStream => "server_stream",
            Self::BidiStream => "bidi_stream",
        }
    }
}

/// One method.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rpc {
    /// The service's full name.
    pub(crate) service_name: &'static str,
    /// The method's name.
    pub(crate) method: &'static str,
    /// The path of its requests.
    pub(crate) path: &'static str,
    /// Who answers.
    pub(crate) service: Service,
    /// What it takes; `None` for what anybody may ask.
    pub(crate) permission: Option<Permission>,
    /// How its messages come and go.
    pub(crate) kind: MethodKind,
}

macro_rules! rpcs {
    ($($service:ident $name:literal { $($method:literal $kind:ident $permission:expr;)+ })+) => {
        /// All methods, those called most often first.
        pub(crate) const RPCS: &[Rpc] = &[$($(Rpc {
            service_name: $name,
            method: $method,
            path: concat!("/", $name, "/", $method),
            service: Service::$service,
            permission: $permission,
            kind: MethodKind::$kind,
        }),+),+];
    };
}

rpcs! {
    Scoring "churn.v1.ScoringService" {
        "ScoreUser" Unary Some(Permission::Score);
        "BatchScoreUsers" Bulk Some(Permission::Score);
        "StreamScoreUsers" BidiStream Some(Permission::Score);
        "ListUsers" Unary Some(Permission::Score);
    }
    Inference "inference.GRPCInferenceService" {
        "ModelInfer" Bulk Some(Permission::Score);
        "ServerLive" Unary None;
        "ServerReady" Unary None;
        "ModelReady" Unary Some(Permission::Read);
        "ServerMetadata" Unary Some(Permission::Read);
        "ModelMetadata" Unary Some(Permission::Read);
    }
    Health "grpc.health.v1.Health" {
        "Check" Unary None;
        "Watch" ServerStream None;
    }
    Models "churn.v1.ModelService" {
        "GetModel" Unary Some(Permission::Read);
        "ListModels" Unary Some(Permission::Read);
        "LoadModel" Unary Some(Permission::Manage);
        "ActivateModel" Unary Some(Permission::Manage);
        "UnloadModel" Unary Some(Permission::Manage);
    }
    Insights "churn.v1.InsightService" {
        "GetKpis" Unary Some(Permission::Score);
    }
    Reflection "grpc.reflection.v1.ServerReflection" {
        "ServerReflectionInfo" BidiStream Some(Permission::Read);
    }
    Reflection "grpc.reflection.v1alpha.ServerReflection" {
        "ServerReflectionInfo" BidiStream Some(Permission::Read);
    }
}

/// The position of a path's method in [`RPCS`].
pub(crate) fn find(path: &str) -> Option<usize> {
    RPCS.iter().position(|rpc| rpc.path == path)
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;
    use crate::serve::wire;

    /// What of the methods that the descriptors define is not in the table, or not in the form that they define.
    fn missing(table: &[Rpc]) -> Vec<String> {
        let sets = [
            wire::DESCRIPTOR,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        let files = sets
            .map(|bytes| FileDescriptorSet::decode(bytes).unwrap().file)
            .concat();
        let mut found = Vec::new();
        for file in &files {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    let kind = match (method.client_streaming(), method.server_streaming()) {
                        (false, false) => "unary",
                        (false, true) => "server_stream",
                        (true, _) => "bidi_stream",
                    };
                    if !table
                        .iter()
                        .any(|rpc| rpc.path == path && rpc.kind.name() == kind)
                    {
                        found.push(path);
                    }
                }
            }
        }
        found.sort();
        found.dedup();
        found
    }

    #[test]
    fn every_method_is_in_the_table() {
        assert_eq!(missing(RPCS), Vec::<String>::new());
        // The negative control: each row is missed when it is gone.
        for row in RPCS {
            let others: Vec<Rpc> = RPCS
                .iter()
                .filter(|rpc| rpc.path != row.path)
                .copied()
                .collect();
            assert_eq!(missing(&others), [row.path]);
        }
    }

    #[test]
    fn what_changes_models_takes_the_permission_to_manage() {
        for rpc in RPCS {
            let changes = ["Load", "Activate", "Unload"]
                .iter()
                .any(|verb| rpc.method.starts_with(verb));
            assert_eq!(
                changes,
                rpc.permission == Some(Permission::Manage),
                "{}",
                rpc.path
            );
        }
    }
}
