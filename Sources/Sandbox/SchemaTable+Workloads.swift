extension SchemaTable {
    /// The groups `apps`, `batch`, `autoscaling` and `policy`.
    static let workloads = """
        ContainerResourceMetricSource container!:s name!:s target!:MetricTarget
        ContainerResourceMetricStatus container!:s current!:MetricValueStatus name!:s
        ControllerRevision apiVersion:s data:* kind:s metadata:ObjectMeta revision!:l
        CronJob apiVersion:s kind:s metadata:ObjectMeta spec!:CronJobSpec status:CronJobStatus
        CronJobSpec concurrencyPolicy?:s failedJobsHistoryLimit:i jobTemplate!:JobTemplateSpec schedule!:s
          startingDeadlineSeconds:l successfulJobsHistoryLimit:i suspend:b timeZone:s
        CronJobStatus active:[ObjectReference] lastScheduleTime:t lastSuccessfulTime:t
        CrossVersionObjectReference apiVersion?:s kind!:s name!:s
        DaemonSet apiVersion:s kind:s metadata:ObjectMeta spec:DaemonSetSpec status:DaemonSetStatus
        DaemonSetCondition lastTransitionTime:t message?:s reason?:s status!:s type!:s
        DaemonSetSpec minReadySeconds?:i revisionHistoryLimit:i selector!:LabelSelector template!:PodTemplateSpec
          updateStrategy:DaemonSetUpdateStrategy
        DaemonSetStatus collisionCount:i conditions:[DaemonSetCondition]@type~type currentNumberScheduled!:i
          desiredNumberScheduled!:i numberAvailable?:i numberMisscheduled!:i numberReady!:i numberUnavailable?:i
          observedGeneration?:l updatedNumberScheduled?:i
        DaemonSetUpdateStrategy rollingUpdate:RollingUpdateDaemonSet type?:s
        Deployment apiVersion:s kind:s metadata:ObjectMeta spec:DeploymentSpec status:DeploymentStatus
        DeploymentCondition lastTransitionTime:t lastUpdateTime:t message?:s reason?:s status!:s type!:s
        DeploymentSpec minReadySeconds?:i paused?:b progressDeadlineSeconds:i replicas:i revisionHistoryLimit:i
          selector!:LabelSelector strategy:DeploymentStrategy+ template!:PodTemplateSpec
        DeploymentStatus availableReplicas?:i collisionCount:i conditions:[DeploymentCondition]@type~type
          observedGeneration?:l readyReplicas?:i replicas?:i terminatingReplicas:i unavailableReplicas?:i
          updatedReplicas?:i
        DeploymentStrategy rollingUpdate:RollingUpdateDeployment type?:s
        Eviction apiVersion:s deleteOptions:DeleteOptions kind:s metadata:ObjectMeta
        ExternalMetricSource metric!:MetricIdentifier target!:MetricTarget
        ExternalMetricStatus current!:MetricValueStatus metric!:MetricIdentifier
        HPAScalingPolicy periodSeconds!:i type!:s value!:i
        HPAScalingRules policies:[HPAScalingPolicy] selectPolicy:s stabilizationWindowSeconds:i tolerance:q
        HorizontalPodAutoscaler apiVersion:s kind:s metadata:ObjectMeta spec!:HorizontalPodAutoscalerSpec
          status:HorizontalPodAutoscalerStatus
        HorizontalPodAutoscalerBehavior scaleDown:HPAScalingRules scaleUp:HPAScalingRules
        HorizontalPodAutoscalerCondition lastTransitionTime:t message?:s reason?:s status!:s type!:s
        HorizontalPodAutoscalerSpec behavior:HorizontalPodAutoscalerBehavior maxReplicas!:i metrics:[MetricSpec]
          minReplicas:i scaleTargetRef!:CrossVersionObjectReference
        HorizontalPodAutoscalerStatus conditions:[HorizontalPodAutoscalerCondition]@type~type
          currentMetrics:[MetricStatus] currentReplicas?:i desiredReplicas!:i lastScaleTime:t observedGeneration:l
        Job apiVersion:s kind:s metadata:ObjectMeta spec:JobSpec status:JobStatus
        JobCondition lastProbeTime:t lastTransitionTime:t message?:s reason?:s status!:s type!:s
        JobSpec activeDeadlineSeconds:l backoffLimit:i backoffLimitPerIndex:i completionMode:s completions:i
          managedBy:s manualSelector:b maxFailedIndexes:i parallelism:i podFailurePolicy:PodFailurePolicy
          podReplacementPolicy:s selector:LabelSelector successPolicy:SuccessPolicy suspend:b
          template!:PodTemplateSpec ttlSecondsAfterFinished:i
        JobStatus active?:i completedIndexes?:s completionTime:t conditions:[JobCondition]~type failed?:i
          failedIndexes:s ready:i startTime:t succeeded?:i terminating:i
          uncountedTerminatedPods:UncountedTerminatedPods
        JobTemplateSpec metadata:ObjectMeta spec:JobSpec
        MetricIdentifier name!:s selector:LabelSelector
        MetricSpec containerResource:ContainerResourceMetricSource external:ExternalMetricSource
          object:ObjectMetricSource pods:PodsMetricSource resource:ResourceMetricSource type!:s
        MetricStatus containerResource:ContainerResourceMetricStatus external:ExternalMetricStatus
          object:ObjectMetricStatus pods:PodsMetricStatus resource:ResourceMetricStatus type!:s
        MetricTarget averageUtilization:i averageValue:q type!:s value:q
        MetricValueStatus averageUtilization:i averageValue:q value:q
        ObjectMetricSource describedObject!:CrossVersionObjectReference metric!:MetricIdentifier
          target!:MetricTarget
        ObjectMetricStatus current!:MetricValueStatus describedObject!:CrossVersionObjectReference
          metric!:MetricIdentifier
        PodDisruptionBudget apiVersion:s kind:s metadata:ObjectMeta spec:PodDisruptionBudgetSpec
          status:PodDisruptionBudgetStatus
        PodDisruptionBudgetSpec maxUnavailable:x minAvailable:x selector:LabelSelector
          unhealthyPodEvictionPolicy:s
        PodDisruptionBudgetStatus conditions:[Condition]@type~type currentHealthy:i desiredHealthy:i
          disruptedPods:{t} disruptionsAllowed:i expectedPods:i observedGeneration?:l
        PodFailurePolicy rules!:[PodFailurePolicyRule]
        PodFailurePolicyOnExitCodesRequirement containerName:s operator!:s values!:[i]#
        PodFailurePolicyOnPodConditionsPattern status:s type!:s
        PodFailurePolicyRule action!:s onExitCodes:PodFailurePolicyOnExitCodesRequirement
          onPodConditions:[PodFailurePolicyOnPodConditionsPattern]
        PodsMetricSource metric!:MetricIdentifier target!:MetricTarget
        PodsMetricStatus current!:MetricValueStatus metric!:MetricIdentifier
        ReplicaSet apiVersion:s kind:s metadata:ObjectMeta spec:ReplicaSetSpec status:ReplicaSetStatus
        ReplicaSetCondition lastTransitionTime:t message?:s reason?:s status!:s type!:s
        ReplicaSetSpec minReadySeconds?:i replicas:i selector!:LabelSelector template:PodTemplateSpec
        ReplicaSetStatus availableReplicas?:i conditions:[ReplicaSetCondition]@type~type fullyLabeledReplicas?:i
          observedGeneration?:l readyReplicas?:i replicas!:i terminatingReplicas:i
        ResourceMetricSource name!:s target!:MetricTarget
        ResourceMetricStatus current!:MetricValueStatus name!:s
        RollingUpdateDaemonSet maxSurge:x maxUnavailable:x
        RollingUpdateDeployment maxSurge:x maxUnavailable:x
        RollingUpdateStatefulSetStrategy maxUnavailable:x partition:i
        Scale apiVersion:s kind:s metadata:ObjectMeta spec:ScaleSpec status:ScaleStatus
        ScaleSpec replicas?:i
        ScaleStatus replicas!:i selector?:s
        StatefulSet apiVersion:s kind:s metadata:ObjectMeta spec:StatefulSetSpec status:StatefulSetStatus
        StatefulSetCondition lastTransitionTime:t message?:s reason?:s status!:s type!:s
        StatefulSetOrdinals start:i
        StatefulSetPersistentVolumeClaimRetentionPolicy whenDeleted?:s whenScaled?:s
        StatefulSetSpec minReadySeconds?:i ordinals:StatefulSetOrdinals
          persistentVolumeClaimRetentionPolicy:StatefulSetPersistentVolumeClaimRetentionPolicy
          podManagementPolicy?:s replicas:i revisionHistoryLimit:i selector!:LabelSelector serviceName:s
          template!:PodTemplateSpec updateStrategy:StatefulSetUpdateStrategy
          volumeClaimTemplates:[PersistentVolumeClaim]
        StatefulSetStatus availableReplicas:i collisionCount:i conditions:[StatefulSetCondition]@type~type
          currentReplicas?:i currentRevision?:s observedGeneration?:l readyReplicas?:i replicas!:i
          updateRevision?:s updatedReplicas?:i
        StatefulSetUpdateStrategy rollingUpdate:RollingUpdateStatefulSetStrategy type?:s
        SuccessPolicy rules!:[SuccessPolicyRule]
        SuccessPolicyRule succeededCount:i succeededIndexes:s
        UncountedTerminatedPods failed:[s]# succeeded:[s]#
        """
}
